"""The networks that look at pictures."""
