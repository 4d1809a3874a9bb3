"""Weight files: found, read, fetched and kept."""
