"""What the picture is measured by: terms, their targets, and their sum."""
