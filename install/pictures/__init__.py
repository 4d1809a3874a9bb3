"""The project's own sample pictures, drawn from nothing but numbers (numpy and Pillow)."""
