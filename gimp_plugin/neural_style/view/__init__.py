"""Which part of the picture is looked at, and what of it is painted for that. No GTK in here."""
