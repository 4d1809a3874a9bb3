"""Comparisons of the engine with others, and of its pictures."""

import os

from styleengine import allocator

# As `styleengine.cli.main` does, before torch is imported: what is measured is what users get.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
allocator.keep_freed_memory()
