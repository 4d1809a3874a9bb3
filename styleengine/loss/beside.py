"""One process's stripe of a picture in one piece, looked at beside those of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from styleengine.loss.slopes import pulled_by
from styleengine.loss.statistics import Statistics
from styleengine.loss.term import Found, Key, Term
from styleengine.loss.totals import Pull
from styleengine.networks.extractor import Extractor
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
        halo = Halo(replace(stripe, margin=margin))
        tile = halo.tile(0 if whole else stripe.seen.start)
        return cls(halo, extractor.renewing(halo.renewed), tile)

    def pulled(self, loss: Tensor, found: Found, pulls: Sequence[Pull]) -> Tensor:
        """``loss`` (), with the gradient by the features ``found`` that the ``pulls`` say, too."""
        for term, key, by in pulls:
            loss = loss + pulled_by(found[key[0]], partial(self._pull, term, key, by))
        return loss

    def _pull(self, term: Term, key: Key, by: Statistics, features: Tensor) -> Tensor:
        """That at what is held; at what lies in the margin its owners pull."""
        pull = term.pull(key, by, features, self.tile)
        own = self.tile.rows.within(self.extractor.geometry[key[0]].stride)
        pull[..., : own.start, :] = 0
        pull[..., own.stop :, :] = 0
        return pull
