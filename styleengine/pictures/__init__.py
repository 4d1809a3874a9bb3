"""Pictures as numbers, and files of pictures. No torch in here."""
