"""Where the command writes what is for people: standard error, with a progress bar."""

from __future__ import annotations

from rich.console import Console

console = Console(stderr=True, highlight=False, markup=False, emoji=False)
"""Prints texts as they are: file names may contain what Rich takes for markup."""
