"""Failures that can show anywhere: of memory, of plug-ins, of libraries."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from styleengine.protocol import EngineError, Sentence

_SIGNS = (
    # PyTorch's CPU allocator and some GPU backends have no exception type of their own,
    *("not enough memory", "out of memory", "allocate memory", "bad_alloc"),
    # oneDNN says so little when its code does not fit,
    *("could not create a primitive", "could not create a memory"),
    # and the system's loader this of a library.
    *("failed to map segment from shared object", "cannot create executable memory"),
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether a NumPy or PyTorch error means that there is not enough memory."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return any(sign in str(error) for sign in _SIGNS)


def out_of_memory() -> EngineError:
    """The error for a picture too large for the memory at hand."""
    return EngineError(
        "out-of-memory",
        "There is not enough memory to paint at this size.",
        "Choose a smaller working size, or close other programs.",
    )


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Lack of memory inside becomes an `EngineError`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise out_of_memory() from error
        raise


def bad_plugin(kind: Sentence, name: str, error: Exception) -> Exception:
    """What to raise for an ``error`` that came out of something registered through the hooks."""
    if isinstance(error, EngineError) or is_out_of_memory(error):
        return error
    return EngineError(
        "bad-plugin",
        "The {kind} {name} failed: {reason}.",
        "Leave it out, and tell its author.",
        kind=kind,
        name=repr(name),
        reason=f"{type(error).__name__}: {error}",
    )


def broken_install(error: Exception) -> EngineError:
    """The error for a library, mostly PyTorch, that is missing or cannot be loaded."""
    if is_out_of_memory(error):
        return out_of_memory()
    return EngineError(
        "broken-install",
        "A library of the engine cannot be loaded ({reason}).",
        "Run the installer again; `styleengine doctor` says more.",
        reason=f"{type(error).__name__}: {error}",
    )
