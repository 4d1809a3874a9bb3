"""Finding, starting and talking to the engine. Neither GIMP nor GTK in here."""
