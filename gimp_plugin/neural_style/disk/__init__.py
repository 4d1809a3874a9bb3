"""Files: regular ones, and those of the user's own. Nothing but the standard library in here."""
