"""The engine behind pipes."""
