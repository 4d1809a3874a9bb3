"""What a run will do, decided before anything is computed: scales, steps, layers, method."""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass

from styleengine.networks.extractor import OPEN, ExtractorEntry, Wrap
from styleengine.pictures.picture import fit
from styleengine.planning.recipes import (
    CLASSIC,
    FINE,
    FINE_LAYERS,
    PRESETS,
    Classic,
    Recipe,
    at_scale,
    content_factor,
    layer_balance,
    scale_sizes,
    scale_steps,
    tv_factor,
)
from styleengine.protocol import Settings
from styleengine.weights.store import best
from styleengine.weights.vgg_layout import CONTENT_LAYER, STYLE_LAYERS

SHORTEST = 16
"""Shortest side of a scale: below it the deepest layers have no position left."""
WRAPS: dict[str, Wrap] = {"none": OPEN, "sideways": (False, True), "both": (True, True)}
"""Along which axes a picture closes, by the setting."""
CLOSING = 16
"""Along an axis on which it closes, a picture is painted in a multiple of so many pixels: the
stride of the deepest layers, whose positions would not meet otherwise."""
WORK = {"1": 0.05, "2": 0.15, "3": 0.3, "4": 0.8}
"""Share of VGG19's work that is done up to a block's first layers, by the block's number."""


@dataclass(frozen=True)
class Plan:
    """The schedule of a run.

    ``sizes`` holds (height, width) per scale, ``steps`` the number of steps at each; they
    run in rounds of at most ``round_steps``, each starting the minimiser afresh. ``methods`` holds
    the recipe of each scale, or the notebook's parameters for ``classic``. ``features`` names the
    extractor, ``fine`` that of the scales with `FINE_LAYERS` only. ``wrap`` tells along which axes
    the picture closes, ``settled`` that it begins near its end, as the next frame of a film does.
    """

    sizes: tuple[tuple[int, int], ...]
    steps: tuple[int, ...]
    methods: tuple[Recipe | Classic, ...]
    style_loss: str
    optimizer: str
    history: int
    init: str
    content_factor: float
    tv_factor: float
    features: str
    fine: str
    round_steps: int | None = None
    wrap: Wrap = OPEN
    settled: bool = False

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return sum(self.steps)

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers that the run looks at."""
        return tuple(dict.fromkeys(n for scale in range(len(self.sizes)) for n in self.at(scale)))

    def at(self, scale: int) -> tuple[str, ...]:
        """The layers that a scale looks at."""
        return tuple(dict.fromkeys(name for name, _ in self.methods[scale].looked_at))

    def features_at(self, scale: int) -> str:
        """The name of the extractor that looks at a scale."""
        return self.fine if set(self.at(scale)) <= set(FINE_LAYERS) else self.features

    def upto(self, scale: int) -> Plan:
        """The plan up to a scale, and that one."""
        end = scale + 1
        return dataclasses.replace(
            self, sizes=self.sizes[:end], steps=self.steps[:end], methods=self.methods[:end]
        )

    def share(self, scale: int) -> float:
        """About how much of its network's work is done at a scale, 0–1."""
        return max(WORK.get(name[4:5], 1.0) for name in self.at(scale))

    def ends_unmoved(self, scale: int) -> bool:
        """Whether nothing is made of a scale's last gradient but the next move, if L-BFGS painted:
        its first guess does not go over to the scales above `FINE`."""
        following = self.sizes[scale + 1 : scale + 2]
        return not following or max(following[0]) > FINE

    def rounds(self, scale: int) -> list[int]:
        """Numbers of steps of the rounds of a scale."""
        left, length = self.steps[scale], self.round_steps or self.steps[scale]
        full = [length] * (left // length) if length else []
        return [*full, left - sum(full)] if left > sum(full) else full


def features_for(settings: Settings, weights: str | None = None) -> str:
    """The name of the extractor that ``settings`` and a weight file, if any is named, ask for.

    "auto" is the draft network for the preset of that name, else the best at hand.
    """
    if settings.features != "auto":
        return settings.features
    return "draft" if settings.preset == "draft" else best(weights)


def fine_features_for(settings: Settings, weights: str | None = None) -> str:
    """The name of the extractor for scales that look at shallow layers only; see `features_for`.

    There the draft network sees what VGG19 does, nearly, in half the time.
    """
    return "draft" if settings.features == "auto" else features_for(settings, weights)


def make_plan(
    settings: Settings,
    width: int,
    height: int,
    entry: ExtractorEntry,
    most: int | None = None,
    fine: str = "",
) -> Plan:
    """The plan for a content of ``width`` × ``height`` pixels and the extractor ``entry``.

    ``entry`` is the one called ``settings.features``, which is not "auto"; see `features_for`.
    ``most``, if given, is the longest side that a working size of the recipe's choice may have.
    ``fine`` names the extractor of the scales with `FINE_LAYERS` only, if it is another one.
    """
    factors = content_factor(settings.strength), tv_factor(settings.smoothness)
    if settings.preset == "classic":
        return _classic(settings, width, height, entry, factors)
    recipe = PRESETS[settings.preset]
    if not _is_vgg(entry):
        # The recipe's balance is VGG19's; another network's layers count equally, each as much as
        # the middle one of VGG19's, and places are compared at the last but one.
        weight = statistics.median(recipe.style_layers.values())
        near = entry.style_layers[-2:][:1]
        recipe = dataclasses.replace(
            recipe,
            near_layers=dict.fromkeys(near, sum(recipe.near_layers.values())),
            style_layers=dict.fromkeys(entry.style_layers, weight),
            content_layer=entry.content_layer,
            hold={entry.content_layer: sum(recipe.hold.values())},
            faces={entry.content_layer: sum(recipe.faces.values())},
        )
    if settings.features == "draft":
        recipe = dataclasses.replace(recipe, rising=True)
    balanced = layer_balance(recipe.style_layers, settings.shapes)
    recipe = dataclasses.replace(recipe, style_layers=balanced)
    limits = (most, recipe.largest, max(width, height))
    long_side = settings.size or min(n for n in limits if n)
    longs = scale_sizes(recipe, long_side)
    keep, wrap = settings.keep_colors != "off", WRAPS[settings.wrap]
    init = settings.init if settings.init != "auto" else "content" if keep else recipe.init
    return Plan(
        sizes=tuple(_size(width, height, s, wrap) for s in longs),
        steps=scale_steps(recipe, longs, settings.iterations),
        methods=tuple(at_scale(recipe, long, long == longs[-1]) for long in longs),
        style_loss=recipe.style_loss if settings.style_loss == "auto" else settings.style_loss,
        optimizer=recipe.optimizer if settings.optimizer == "auto" else settings.optimizer,
        history=recipe.history,
        init=init,
        content_factor=factors[0],
        tv_factor=factors[1],
        features=settings.features,
        fine=fine or settings.features,
        wrap=wrap,
    )


def _classic(
    settings: Settings,
    width: int,
    height: int,
    entry: ExtractorEntry,
    factors: tuple[float, float],
) -> Plan:
    c = CLASSIC
    if not _is_vgg(entry):
        c = dataclasses.replace(
            c, style_layers=entry.style_layers, content_layer=entry.content_layer
        )
    elif settings.features == "draft":  # it does not know the notebook's content layer
        c = dataclasses.replace(c, content_layer=entry.content_layer)
    if settings.size:
        size = _size(width, height, settings.size)
    else:  # the notebook rounds the width down
        size = c.height, max(int(width * c.height / height), SHORTEST)
    optimizer = "lbfgs" if settings.optimizer == "auto" else settings.optimizer
    return Plan(
        sizes=(size,),
        steps=(settings.iterations or c.rounds * c.evaluations,),
        methods=(c,),
        style_loss="gram",
        optimizer=optimizer,
        history=c.history,
        init="content" if settings.init == "auto" else settings.init,
        content_factor=factors[0],
        tv_factor=factors[1],
        features=settings.features,
        fine=settings.features,
        round_steps=c.evaluations if optimizer == "lbfgs" else None,
    )


def _is_vgg(entry: ExtractorEntry) -> bool:
    return (entry.style_layers, entry.content_layer) == (STYLE_LAYERS, CONTENT_LAYER)


def _size(width: int, height: int, long_side: float, wrap: Wrap = OPEN) -> tuple[int, int]:
    sides = zip(fit(width, height, long_side), wrap, strict=True)
    h, w = (round(n / CLOSING) * CLOSING if closes else n for n, closes in sides)
    return max(h, SHORTEST), max(w, SHORTEST)
