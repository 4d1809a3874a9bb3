"""Comparisons of the engine with others, and of its pictures."""

from styleengine.machine import allocator
from styleengine.machine.openmp import wait_briefly

# As `styleengine.command.cli.main` does, before torch is imported: what is measured is what users
# get.
wait_briefly()
allocator.keep_freed_memory()
