"""What L-BFGS takes the curvature of the loss to be to begin with, by frequency and colour.

The usual guess is one number for all directions (Nocedal & Wright 2006, eq. 7.20). Features of a
network curve very differently along fine and coarse, gray and coloured changes of a picture, and
not alike for a woodcut and an oil painting; ten pairs of a history are too few to learn that. So
each band of spatial frequencies of each opponent colour gets a number of its own.
"""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor

DEVICES = ("cpu", "cuda")
"""Where Fourier transforms can be relied on."""
BANDS = 12
LOWEST, HIGHEST = 0.01, 0.6
"""Cycles per pixel where the first band ends and the last one begins."""
OPPONENT = ((1.0, 1.0, 1.0), (1.0, -1.0, 0.0), (1.0, 1.0, -2.0))
"""Gray, red against green, and yellow against blue: nearly uncorrelated in photographs."""
MOST = 8.0
"""How much a band may differ from the whole."""
PRIOR_PAIRS = 2.0
"""How many pairs the guess before the first of them counts for."""


class BandScaling:
    """A positive definite matrix H on pictures (1, 3, H, W), learnt from steps s with changes y of
    the gradient.

    For each band H is ``sᵀs / sᵀy`` of the last pairs, the long step of Barzilai & Borwein (1988,
    eq. 5), relative to that of the whole. It is diagonal in the Fourier transform of the opponent
    colours, and passes smoothly from band to band, as sharp limits would make ripples.

    ``factors`` (3, `BANDS`) are those to begin with, as they were at another scale.
    """

    def __init__(
        self, size: tuple[int, int], device: torch.device, history: int, factors: Tensor | None
    ) -> None:
        self._size = size
        self._colors = torch.tensor(OPPONENT, device=device)
        self._colors /= self._colors.norm(dim=1, keepdim=True)
        self._prior = torch.ones(3, BANDS, device=device) if factors is None else factors
        self._sums: deque[Tensor] = deque(maxlen=history)
        self.factors = self._prior
        self._place_bands(*size, device)

    def _place_bands(self, height: int, width: int, device: torch.device) -> None:
        """Where every frequency of `_transform` lies among the bands, and how often it counts."""
        rows = torch.fft.fftfreq(height, device=device)[:, None]
        columns = torch.fft.rfftfreq(width, device=device)[None]
        frequency = (rows.square() + columns.square()).sqrt()
        octaves = math.log(HIGHEST / LOWEST)
        place = (frequency.clamp_min(1e-6) / LOWEST).log() / octaves * (BANDS - 2) + 0.5
        place = place.clamp(0, BANDS - 1).flatten()
        # The transform of a real picture has one of each two columns that mirror each other.
        twice = torch.full((width // 2 + 1,), 2.0, device=device)
        twice[0] = 1.0
        if width % 2 == 0:
            twice[-1] = 1.0
        count = twice.expand(height, -1).flatten()
        self._below = place.floor().long().clamp(max=BANDS - 2)
        self._part = place - self._below
        self._members = torch.zeros(len(place), BANDS, device=device)
        self._members.scatter_(1, place.round().long()[:, None], count[:, None])

    def learn(self, s: Tensor, y: Tensor) -> None:
        """Takes note of a step and the change of the gradient along it."""
        a, b = self._transform(s), self._transform(y)
        products = torch.stack([_product(a, a), _product(a, b), _product(b, b)])
        # Sums in a fixed order: an index_add would not give the same bits twice on a GPU.
        self._sums.append(self._of_all(products.flatten(2) @ self._members.to(products.dtype)))
        self._estimate()

    def forget(self) -> None:
        """Begins anew, as where a step led uphill."""
        self._sums.clear()
        self.factors = self._prior

    def _estimate(self) -> None:
        ss, sy, _ = torch.stack(list(self._sums)).sum(0)
        relative = ss / sy * (sy.sum() / ss.sum())
        # Empty bands, and those that curve downwards, are taken for usual ones.
        usable = (sy > 0) & (ss > 0)
        found = torch.where(usable, relative, torch.ones_like(ss)).clamp(1 / MOST, MOST)
        weight = len(self._sums) / (len(self._sums) + PRIOR_PAIRS)
        self.factors = found**weight * self._prior ** (1 - weight)

    def shrink(self) -> float:
        """``yᵀHy / yᵀy`` of the last pair."""
        yy = self._sums[-1][2]
        return float((self.factors * yy).sum() / yy.sum())

    def apply(self, direction: Tensor) -> Tensor:
        """``H · direction``, contiguous."""
        low, high = self.factors[:, self._below], self.factors[:, self._below + 1]
        spectrum = self._transform(direction)
        spectrum *= torch.lerp(low, high, self._part).view(spectrum.shape)
        back = self._inverse(spectrum)
        return torch.einsum("ci,chw->ihw", self._colors, back)[None].contiguous()

    def _of_all(self, sums: Tensor) -> Tensor:
        """The sums over all frequencies, of those over the ones that `_transform` gives."""
        return sums

    def _transform(self, picture: Tensor) -> Tensor:
        """The Fourier transform (3, H, W // 2 + 1) of the opponent colours."""
        found: Tensor = torch.fft.rfft2(torch.einsum("ci,ihw->chw", self._colors, picture[0]))
        return found

    def _inverse(self, spectrum: Tensor) -> Tensor:
        """The opponent colours (3, H, W) of a `_transform`."""
        found: Tensor = torch.fft.irfft2(spectrum, s=self._size)
        return found


def first_guess(picture: Tensor, history: int, factors: Tensor | None = None) -> BandScaling | None:
    """A `BandScaling` for a picture (1, 3, H, W); None on a device without Fourier transforms."""
    if picture.device.type not in DEVICES:
        return None
    size = picture.shape[-2], picture.shape[-1]
    return BandScaling(size, picture.device, history, factors)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """The real part of ``conj(a) · b``."""
    return a.real * b.real + a.imag * b.imag
