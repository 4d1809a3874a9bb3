"""One process's stripe of a picture in one piece, looked at beside those of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from styleengine.networks.extractor import Extractor, Geometry
from styleengine.planning.tiling import Tile
from styleengine.together.halo import Halo
from styleengine.together.stripe import Stripe


@dataclass(frozen=True)
class Beside:
    """The features beside a stripe, which others compute, and the network that looks at both.

    ``tile`` is the stripe with its margin: in coordinates of what is seen of the picture, or of a
    picture that all have.
    """

    halo: Halo
    extractor: Extractor
    tile: Tile

    @classmethod
    def of(cls, stripe: Stripe, extractor: Extractor, whole: bool = False) -> Beside | None:
        """That of a ``stripe``, of a picture that all have where ``whole``; None if the network
        cannot do that, or the picture is too small for all to have a part of it."""
        if stripe.group.size == 1 or extractor.between is None or not extractor.geometry:
            return None
        margin = -(-extractor.between // stripe.align) * stripe.align
        if min(len(part) for part in stripe.parts) < margin:
            return None
        halo = Halo(stripe, margin)
        tile = halo.tile(0 if whole else stripe.seen.start)
        return cls(halo, extractor.renewing(halo.renewed), tile)

    def keep_own(self, pulls: Mapping[str, Tensor], known: Mapping[str, Geometry]) -> None:
        """Takes what pulls at the margin's features off ``pulls``: their owners pull there."""
        for name, pull in pulls.items():
            own = self.tile.rows.within(known[name].stride)
            pull[..., : own.start, :] = 0
            pull[..., own.stop :, :] = 0
