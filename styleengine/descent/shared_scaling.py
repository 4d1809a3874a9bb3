"""The minimiser's first guess for a picture that several processes share."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from styleengine.descent.band_scaling import BANDS, DEVICES, BandScaling
from styleengine.together.group import Rows
from styleengine.together.stripe import Stripe

NOTHING = Rows(0, 0)


class SharedScaling(BandScaling):
    """The same for vectors of which each process holds a stripe.

    Each transforms its rows, and then, of all of them, its part of the columns: between the two,
    blocks of rows and columns change hands.
    """

    def __init__(
        self, stripe: Stripe, device: torch.device, history: int, factors: Tensor | None
    ) -> None:
        super().__init__(stripe.size, device, history, factors)
        height, width = stripe.size
        count, parts, self._stripe = width // 2 + 1, stripe.group.size, stripe
        ends = [k * count // parts for k in range(parts + 1)]
        self._columns = [slice(a, b) for a, b in pairwise(ends)]
        own = self._columns[stripe.group.rank]
        self._below = self._below.view(height, count)[:, own].flatten()
        self._part = self._part.view(height, count)[:, own].flatten()
        self._members = self._members.view(height, count, BANDS)[:, own].reshape(-1, BANDS)

    def _of_all(self, sums: Tensor) -> Tensor:
        return self._stripe.group.add_up([sums])[0]

    def _transform(self, picture: Tensor) -> Tensor:
        """The columns of this process, (3, H, n), of a picture of which it has its rows."""
        rows = torch.fft.rfft(torch.einsum("ci,ihw->chw", self._colors, picture[0]))
        group, whole, found = self._stripe.group, Rows(0, self._size[0]), rows
        for rank, columns in enumerate(self._columns):
            want = [whole if k == rank else NOTHING for k in range(group.size)]
            block = group.rows(_real(rows[..., columns]), self._stripe.parts, want)
            found = _complex(block) if rank == group.rank else found
        columns_done: Tensor = torch.fft.fft(found, dim=-2)
        return columns_done

    def _inverse(self, spectrum: Tensor) -> Tensor:
        """The rows of this process, (3, h, W), of a picture of which it has its columns."""
        columns_done = torch.fft.ifft(spectrum, dim=-2)
        group, whole, found = self._stripe.group, Rows(0, self._size[0]), []
        for rank, columns in enumerate(self._columns):
            have = [whole if k == rank else NOTHING for k in range(group.size)]
            held = _real(columns_done)
            if rank != group.rank:
                held = held.new_empty(len(held), 0, 2 * (columns.stop - columns.start))
            found.append(_complex(group.rows(held, have, self._stripe.parts)))
        rows: Tensor = torch.fft.irfft(torch.cat(found, -1), n=self._size[1])
        return rows


def _real(x: Tensor) -> Tensor:
    """Complex numbers (C, h, n) as pairs (C, h, 2 n)."""
    return torch.view_as_real(x).flatten(-2)


def _complex(x: Tensor) -> Tensor:
    """The way back from `_real`."""
    return torch.view_as_complex(x.contiguous().view(*x.shape[:-1], -1, 2))


def shared_guess(
    stripe: Stripe, device: torch.device, history: int, factors: Tensor | None
) -> SharedScaling | None:
    """A `SharedScaling`; None on a device without Fourier transforms."""
    if device.type not in DEVICES:
        return None
    return SharedScaling(stripe, device, history, factors)
