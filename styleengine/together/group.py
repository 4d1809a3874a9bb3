"""The processes of a run, as seen by one of them. There is mostly one, to which all is a no-op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class Stopped(Exception):
    """All processes have agreed, at the same place, to stop the run and keep what there is."""


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a picture or a map, from ``start`` to ``stop`` (exclusive)."""

    start: int
    stop: int

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __and__(self, other: Rows) -> Rows:
        start = max(self.start, other.start)
        return Rows(start, max(start, min(self.stop, other.stop)))

    def at(self, stride: int) -> Rows:
        """The same rows in a map at ``stride``."""
        return Rows(self.start // stride, self.stop // stride)

    def within(self, held: Rows) -> slice:
        """These rows, in what holds ``held``."""
        return slice(self.start - held.start, self.stop - held.start)


class Group:
    """A process by itself.

    A method of a group of several is called by all of them in the same order; what it returns is
    the same for all, but for `rows` and where it says otherwise. It raises `EngineError`
    ("lost-process") when one of them has gone.
    """

    rank, size = 0, 1
    here = 1
    """How many of them are on this computer, and share its memory."""
    place = 0
    """Which of those this is."""
    stopping = False
    """Whether this process wants all to stop at the next `meet`."""
    runs, busy = 0, False
    """How many runs have begun, and whether one is not done yet."""

    def meet(self) -> None:
        """Waits for all; raises `Stopped` where one of them is `stopping`."""

    def total(self, *values: float) -> list[float]:
        """The sums over the processes."""
        return list(values)

    def all(self, truth: bool) -> bool:
        """Whether it is true for every process."""
        return truth

    def first(self, value: T) -> T:
        """The value that the first process gave."""
        return value

    def add_up(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sums over the processes of tensors of the same shapes."""
        return list(tensors)

    def rows(self, held: Tensor, have: Sequence[Rows], want: Sequence[Rows]) -> Tensor:
        """Rows ``want[rank]`` of a map (…, H, W), of which each process holds rows ``have[rank]``.

        ``held`` (…, h, W) are the caller's.
        """
        return held[..., want[0].within(have[0]), :]

    def begin(self) -> None:
        """A run begins; in the middle of it nobody can leave in peace."""
        self.runs += 1
        self.busy, self.stopping = True, False

    def end(self) -> None:
        """The run that has begun is done."""
        self.busy = False

    def tells(self) -> bool:
        """Whether it is for this process to tell people that the group has failed: once for all."""
        return True

    def leave(self) -> None:
        """Parts from the others at the end of all work."""


ALONE = Group()
