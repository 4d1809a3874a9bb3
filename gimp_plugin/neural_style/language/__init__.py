"""The user's language."""
