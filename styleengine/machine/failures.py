"""Failures that can show anywhere: lack of memory, and libraries that cannot be loaded."""

from __future__ import annotations

from styleengine.protocol import EngineError


def is_out_of_memory(error: Exception) -> bool:
    """Whether a NumPy or PyTorch error means that there is not enough memory."""
    # PyTorch's CPU allocator and some GPU backends have no exception type of their own.
    signs = "not enough memory", "out of memory", "allocate memory"
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def out_of_memory() -> EngineError:
    """The error for a picture too large for the memory at hand."""
    return EngineError(
        "out-of-memory",
        "There is not enough memory to paint at this size.",
        "Choose a smaller working size, or close other programs.",
    )


def broken_install(error: Exception) -> EngineError:
    """The error for a library, mostly PyTorch, that is missing or cannot be loaded."""
    return EngineError(
        "broken-install",
        "A library of the engine cannot be loaded ({reason}).",
        "Run the installer again; `styleengine doctor` says more.",
        reason=f"{type(error).__name__}: {error}",
    )
