"""What the user has chosen, and what is kept of it."""
