"""The dialog: its window, and what goes on behind it."""
