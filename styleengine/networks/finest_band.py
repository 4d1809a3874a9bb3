"""The finest band of a picture as one more layer that style statistics are taken of.

VGG19's layers hardly notice how crisp a picture is: beside the variance of colours and edges that
of single pixels is next to nothing, and in few steps it is left behind, as a blur over the whole
picture. So the band is compared by itself, as the covariance of what patches of 3 × 3 pixels hold
beside their mean. The variance of single pixels alone would do for brush strokes, but where a
painting is made of dots it comes out as a weave of lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from styleengine.networks.convolution import replicate
from styleengine.networks.extractor import OPEN, Extractor, Geometry, Renew, Wrap

BAND = "band"
"""The band's name among the layers."""
TYPICAL = 0.02
"""Its typical value, the unit of the layer."""
CURVED = 2.0
"""Factor on what is finer than a slope across the patch, beside which it would be lost."""


class Banded:
    """An extractor that gives the `finest_band` with the features of another one."""

    def __init__(self, extractor: Extractor, wrap: Wrap = OPEN, *, within: bool = False) -> None:
        self._extractor, self._wrap, self._within = extractor, wrap, within
        self.geometry: Mapping[str, Geometry] = {**extractor.geometry, BAND: Geometry(1, 1)}
        self.units: Mapping[str, float] = {**extractor.units, BAND: TYPICAL}
        self.balance: Mapping[str, float] = extractor.balance
        self.metrics: Mapping[str, Tensor] = extractor.metrics

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Features of ``image`` (1, 3, H, W), and its band under the name `BAND`."""
        found = self._extractor(image)
        # Made last, it is passed back first, and gone when the network's gradients come to be.
        return {**found, BAND: finest_band(image, self._wrap, inside=self._within)}

    def closed(self, wrap: Wrap) -> Banded | None:
        """As in `Trunk`."""
        inner = self._extractor.closed(wrap)
        return None if inner is None else Banded(inner, wrap)

    def inside(self) -> Banded | None:
        """As in `Trunk`."""
        inner = self._extractor.inside()
        return None if inner is None else Banded(inner, within=True)

    @property
    def between(self) -> int | None:
        """As in `Trunk`."""
        return self._extractor.between

    def renewing(self, renew: Renew) -> Banded:
        """As in `Trunk`."""
        return Banded(self._extractor.renewing(renew), self._wrap)


def finest_band(image: Tensor, wrap: Wrap = OPEN, *, inside: bool = False) -> Tensor:
    """What the patch of 3 × 3 pixels around each pixel of (1, 3, H, W) holds beside its mean.

    (1, 24, H, W), at least float32: by colour, the eight patterns of the discrete cosine transform
    of the patch but for the constant one. ``inside`` says that nobody looks at the outermost ones.
    """
    # In half precision it would amplify the steps between the values that a smooth sky has there.
    wide = image if image.element_size() > 2 else image.float()
    wide = wide if inside else replicate(wide, wrap)
    # Twice as fast as channels one behind the other.
    wide = wide.contiguous(memory_format=torch.channels_last)
    return F.conv2d(wide, kernel(wide.dtype, wide.device), padding=int(inside))


@cache
def kernel(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The patterns as a convolution's weights, (24, 3, 3, 3); brought to a device only once."""
    waves = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    waves /= waves.norm(dim=1, keepdim=True)
    patterns = torch.einsum("iy,jx->ijyx", waves, waves)
    patterns[1, 1] *= CURVED
    patterns[2] *= CURVED
    patterns[:2, 2] *= CURVED
    patterns = patterns.flatten(0, 1)[1:]
    weights = torch.einsum("pyx,oc->opcyx", patterns, torch.eye(3)).flatten(0, 1)
    return weights.to(device, dtype)
