"""The loss of the presets' recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from styleengine.loss.content import Content
from styleengine.loss.hold import Hold
from styleengine.loss.nearest import NearestPlaces
from styleengine.loss.objective import Objective, whole_of
from styleengine.loss.smoothness import Smoothness
from styleengine.loss.steady import Steady
from styleengine.loss.style import StyleStatistics
from styleengine.loss.style_losses import StyleLoss
from styleengine.loss.term import Term
from styleengine.networks.extractor import OPEN, TV, Extractor, Wrap
from styleengine.networks.finest_band import BAND, Banded
from styleengine.planning.recipes import Recipe
from styleengine.scene.scene import recolored
from styleengine.scene.style_pictures import StyleTarget
from styleengine.together.stripe import Seen, Stripe


class PaintObjective(Objective):
    """Style, nearest places, content and smoothness, each a mean in a natural unit of its own."""

    def __init__(
        self,
        extractor: Extractor,
        recipe: Recipe,
        style_loss: StyleLoss,
        content: Tensor | Seen,
        styles: Sequence[StyleTarget],
        alpha: Tensor | None = None,
        content_factor: float = 1.0,
        tv_factor: float = 1.0,
        side: int | None = None,
        hold: Tensor | None = None,
        faces: Tensor | None = None,
        wrap: Wrap = OPEN,
        stripe: Stripe | None = None,
        steady: tuple[Tensor, Tensor] | None = None,
        style: StyleStatistics | None = None,
        places: Callable[[Mapping[str, float], Content], NearestPlaces] | None = None,
    ) -> None:
        """``content`` is (1, 3, h, w), or gives its tiles, where nothing is held; ``alpha`` (h, w),
        0–1, weighs its pixels, if given.

        ``side`` is that of the tiles, see `Objective`; ``hold`` (h, w), 0–1, says how far each
        place stays what it is (`Hold`), ``faces`` the same of the eyes and mouths of people.
        ``wrap`` tells along which axes the picture closes; ``steady`` is what `Steady` asks for,
        its target and where. All these are what is seen by a process that holds a ``stripe`` of
        the picture. ``style`` is the term of the style if that knows the styles already; that of
        the nearest places then comes from ``places``, given the layers' weights and the content's.
        """
        stripe = stripe or whole_of(content)
        extractor, layers = style_layers(recipe, extractor)
        balance = extractor.balance
        name, pool, exponent = recipe.content_layer, recipe.content_pool, recipe.content_focus
        held = recipe.content_weight * content_factor * balance.get(name, 1.0)
        calm = recipe.tv_weight * tv_factor * balance.get(TV, 1.0)

        shown = styles if style is None else ()
        style = style or StyleStatistics(extractor, layers, style_loss, stripe, alpha)
        photo = Content(extractor, name, held, pool, exponent, alpha, wrap, stripe)
        self.style, self.photo = style, photo
        near = {n: w * balance.get(n, 1.0) for n, w in recipe.near_layers.items()}
        if places is None:
            nearest = NearestPlaces(extractor, near, shown, stripe, alpha, photo)
        else:
            nearest = places(near, photo)
        smoothness = Smoothness(extractor, calm, stripe.size, wrap)
        terms: list[Term] = [style, photo, nearest, smoothness]
        kept = held_at([(recipe.hold, hold), (recipe.faces, faces)], balance)
        if kept:
            assert isinstance(content, Tensor)
            instead = recolored(content, styles, alpha, stripe)
            terms.append(Hold(extractor, kept, instead, stripe, alpha))
        if steady is not None:
            terms.append(Steady(extractor, recipe.steady_weight, *steady, stripe.size))
        super().__init__(extractor, terms, content, shown, alpha, side, wrap, stripe)


def style_layers(recipe: Recipe, extractor: Extractor) -> tuple[Extractor, dict[str, float]]:
    """The network with all layers that styles are compared at, and how much each weighs."""
    layers = dict(recipe.style_layers)
    if recipe.band_weight:
        layers[BAND] = recipe.band_weight
        extractor = Banded(extractor)
    return extractor, {n: w * extractor.balance.get(n, 1.0) for n, w in layers.items()}


def held_at(
    held: Sequence[tuple[Mapping[str, float], Tensor | None]], balance: Mapping[str, float]
) -> dict[str, Tensor]:
    """The masks of `Hold` by layer, from weights of layers and a mask (h, w) each."""
    masks: dict[str, Tensor] = {}
    for weights, mask in held:
        if mask is not None:
            for name, weight in weights.items():
                own = mask * (weight * balance.get(name, 1.0))
                masks[name] = torch.maximum(masks[name], own) if name in masks else own
    return masks
