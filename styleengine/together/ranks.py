"""A `Group` of processes that torchrun has started, on torch.distributed."""

from __future__ import annotations

import contextlib
import pickle
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from styleengine.protocol import EngineError
from styleengine.together.group import Group, Rows, Stopped

if TYPE_CHECKING:
    from styleengine.together.watch import Watch

T = TypeVar("T")

PIECE = 1 << 28
"""Most bytes that are sent at once."""
ENDING = threading.Event()
"""The main thread is ending, for it has lost the others: torchrun need not tell it to any more."""


def lost() -> EngineError:
    """The error of a process whose companions have gone."""
    return EngineError(
        "lost-process",
        "A process of this run was lost, or all were told to end: the picture is not finished.",
        "If it says nothing itself, it was killed, perhaps for lack of memory.",
    )


@contextlib.contextmanager
def losses() -> Iterator[None]:
    """What torch.distributed raises inside, where a process has gone, becomes `lost`."""
    try:
        yield
    except (RuntimeError, ConnectionError) as error:
        if threading.current_thread() is threading.main_thread():
            ENDING.set()
        raise lost() from error


class Ranks(Group):
    """The processes of torch.distributed's default group, which is there already.

    ``direct`` tells that tensors of an accelerator travel as they are (NCCL); else they go by way
    of the processor, as small values always do (gloo).
    """

    def __init__(self, here: int = 1, place: int = 0, direct: bool = False) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.here, self.place, self._direct = here, place, direct
        self.watch: Watch | None = None

    def meet(self) -> None:
        """One small sum."""
        if sum(self.total(float(self.stopping))):
            self.stopping = False
            raise Stopped

    def total(self, *values: float) -> list[float]:
        """Sums in double precision."""
        found = torch.tensor(values, dtype=torch.float64)
        with losses():
            dist.all_reduce(found)
        return cast("list[float]", found.tolist())

    def all(self, truth: bool) -> bool:
        """A sum, too."""
        return not sum(self.total(float(not truth)))

    def first(self, value: T) -> T:
        """Pickled; arrays in it travel as they are, without a copy."""
        if self.rank:
            return cast("T", self._received())
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        raw = [np.frombuffer(b.raw(), np.uint8) for b in buffers]
        with losses():
            dist.broadcast_object_list([(head, [len(b) for b in raw])], src=0)
            for buffer in raw:
                for part in np.array_split(buffer, range(PIECE, len(buffer), PIECE)):
                    dist.broadcast(_tensor(part), src=0)
        return value

    def _received(self) -> Any:
        with losses():
            box: list[Any] = [None]
            dist.broadcast_object_list(box, src=0)
            head, lengths = box[0]
            buffers = [np.empty(n, np.uint8) for n in lengths]
            for buffer in buffers:
                for part in np.array_split(buffer, range(PIECE, len(buffer), PIECE)):
                    dist.broadcast(_tensor(part), src=0)
        return pickle.loads(head, buffers=buffers)

    def add_up(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """In one message, in double precision."""
        if not tensors:
            return []
        flat = torch.cat([t.detach().double().flatten() for t in tensors])
        sums = self._near(flat)
        with losses():
            dist.all_reduce(sums)
        parts = torch.split(sums.to(flat.device), [t.numel() for t in tensors])
        return [p.view(t.shape).to(t.dtype) for p, t in zip(parts, tensors, strict=True)]

    def rows(self, held: Tensor, have: Sequence[Rows], want: Sequence[Rows]) -> Tensor:
        """From process to process, each row to whom it concerns."""
        mine, wanted = have[self.rank], want[self.rank]
        out = held.new_empty(*held.shape[:-2], len(wanted), held.shape[-1])
        out[..., (mine & wanted).within(wanted), :] = held[..., (mine & wanted).within(mine), :]
        work, arriving = [], []
        for other in (k for k in range(self.size) if k != self.rank):
            if due := mine & want[other]:
                piece = held[..., due.within(mine), :].contiguous()
                work.append(dist.P2POp(dist.isend, _bytes(self._near(piece)), other))
            if due := have[other] & wanted:
                shape = (*held.shape[:-2], len(due), held.shape[-1])
                place = torch.empty(shape, dtype=held.dtype, device=self._place(held))
                work.append(dist.P2POp(dist.irecv, _bytes(place), other))
                arriving.append((due, place))
        with losses():
            for each in dist.batch_isend_irecv(work) if work else []:
                each.wait()
        for due, place in arriving:
            out[..., due.within(wanted), :] = place.to(out.device)
        return out

    def tells(self) -> bool:
        """By a counter in the common store."""
        return self.watch is None or self.watch.tells()

    def leave(self) -> None:
        """Ends the group."""
        if self.watch is not None:
            self.watch.part()
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()

    def _place(self, like: Tensor) -> torch.device:
        return like.device if self._direct else torch.device("cpu")

    def _near(self, tensor: Tensor) -> Tensor:
        """Where it can be sent from."""
        return tensor.to(self._place(tensor))


def _bytes(tensor: Tensor) -> Tensor:
    """A contiguous tensor as bytes, which every backend can send."""
    return tensor.view(-1).view(torch.uint8)


def _tensor(array: np.ndarray) -> Tensor:
    """``array`` as a tensor; one that may not be written is only sent."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given buffer is not writable")
        return torch.frombuffer(array.data, dtype=torch.uint8)
