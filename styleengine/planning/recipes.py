"""The recipes behind the presets: which layers weigh how much, and which scales get which steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from styleengine.protocol import PREVIEW_PX


@dataclass(frozen=True)
class Recipe:
    """A complete description of how a picture is painted.

    Weights are those of `PaintObjective`, whose terms have units of their own, so they hold for any
    pictures and any trained weights. Scales grow by about ``ratio`` from ``smallest`` to the
    picture's own size; a scale of long side s gets ``iterations · (512 / s)^decline`` steps, at
    least ``least`` and at most ``most``. The content layer is compared in means over
    ``content_pool`` × ``content_pool`` positions. ``band_weight`` is that of the style's finest
    band, see `finest_band`; ``near_layers`` weighs the layers at which every place shall be near
    one of the style's, see `NearestPlaces`.
    """

    style_loss: str
    style_layers: Mapping[str, float]
    content_layer: str
    content_weight: float
    tv_weight: float
    init: str
    optimizer: str
    near_layers: Mapping[str, float] = field(default_factory=dict)
    band_weight: float = 0.2
    ratio: float = 2.0
    smallest: int = 128
    iterations: float = 16.0
    decline: float = 0.7
    least: int = 5
    most: int = 24
    rising: bool = False
    """Whether scales below 512 pixels, but for the last, get ``iterations · s / 512`` steps: the
    draft network sees large motifs badly, and with many steps there bends what is on the photo."""
    history: int = 10
    content_decline: float = 1.25
    """The content weight falls with this power of the scale's size; see `content_at`."""
    content_pool: int = 1
    content_focus: float = 0.35
    """How much more than others the positions count where the photo stands out; see `focus`."""
    hold: Mapping[str, float] = field(default_factory=lambda: {"relu4_2": 1.1, "relu3_1": 0.08})
    """The weights of layers where something is held, at any strength; see `Hold`. The scales above
    `FINE` do without: they change no shape, and the maps would take as much as the picture."""
    faces: Mapping[str, float] = field(default_factory=lambda: {"relu4_2": 0.8, "relu3_1": 0.35})
    """The same for eyes and mouths, whose shapes are smaller."""
    steady_weight: float = 50.0
    """How firmly a frame of a film keeps to the one before, where that shows the same."""
    largest: int | None = None
    """Long side above which the picture is not painted but enlarged; None for no limit."""

    @property
    def looked_at(self) -> list[tuple[str, int]]:
        """The layers that are looked at, and the side of the means taken there."""
        style = dict.fromkeys([*self.style_layers, *self.near_layers])
        return [*((n, 1) for n in style), (self.content_layer, self.content_pool)]


STYLE_WEIGHTS = {"relu1_1": 4.0, "relu2_1": 4.0, "relu3_1": 2.0, "relu4_1": 0.5, "relu5_1": 0.15}
"""Palette and texture cost the photo little and weigh most, as places alone would take dark cloth
for one and the same dark place. What relu4_1 and relu5_1 ask for,
shapes and large motifs, is paid for in content; without relu5_1, though, no star gets its halo."""

NEAR = {"relu4_1": 0.7, "relu3_1": 0.4}
"""Shapes and strokes, place by place. More paints the subject more, and costs likeness."""

FAST = Recipe(
    style_loss="covariance",
    style_layers=STYLE_WEIGHTS,
    content_layer="relu4_2",
    content_weight=0.6,
    tv_weight=0.65,
    init="recolor",
    optimizer="lbfgs",
    near_layers=NEAR,
)
BEST = replace(
    FAST,
    ratio=math.sqrt(2.0),
    iterations=50.0,
    least=10,
    most=60,
)


DRAFT = replace(FAST, decline=1.0, most=20, largest=1024)
"""A quick picture, for the draft network."""


@dataclass(frozen=True)
class Classic:
    """The notebook's parameters (*Deep Learning with Python* §8.3)."""

    height: int = 400
    content_layer: str = "relu5_2"
    style_layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    content_weight: float = 0.025
    style_weight: float = 1.0
    tv_weight: float = 1e-4
    rounds: int = 20
    evaluations: int = 20
    """Each round is a fresh L-BFGS of this many evaluations, as the notebook calls SciPy's."""
    history: int = 10

    @property
    def looked_at(self) -> list[tuple[str, int]]:
        """As in `Recipe`."""
        return [*((n, 1) for n in self.style_layers), (self.content_layer, 1)]


CLASSIC = Classic()

PRESETS: Mapping[str, Recipe] = {"draft": DRAFT, "fast": FAST, "best": BEST}


TILT = 8.0
"""How far the extremes of the control for large shapes go; see `layer_balance`."""


LARGE = 1100
"""Long side above which a scale does without the deepest layer, which looks far around a tile."""
FINE = 1600
"""Long side above which a scale only adds what can be seen of brush and canvas close up."""
FINE_LAYERS = ("relu1_1", "relu2_1", "relu3_1")
FINE_CONTENT, FINE_POOL = "relu3_1", 4


EVEN = 240
"""Long side of the scale at which the content weighs what the recipe says."""


def content_at(recipe: Recipe, long_side: int, last: bool) -> float:
    """Factor on the content weight at a scale of that size.

    Small scales lay where things are, and motifs that are on no photo; large ones lay strokes, and
    there the photo's own surface stands in their way. So the content is held firmly first and
    loosely in the end, as in STROTSS (Kolkin et al. 2019, arXiv 1904.12785), whose weight is halved
    from scale to scale. Unlike there it falls no further above `PREVIEW_PX`, or a large picture
    would part from its preview; and the ``last`` scale is held no firmer than the recipe says,
    however small the picture is.
    """
    factor: float = (EVEN / min(long_side, PREVIEW_PX)) ** recipe.content_decline
    return min(factor, 1.0) if last else factor


def at_scale(recipe: Recipe, long_side: int, last: bool = False) -> Recipe:
    """The recipe for a scale of that size: the shallow layers only, where that is above `FINE`.

    Between `LARGE` and `FINE` it lacks the last style layer. ``last`` says that it is the picture's
    own size.

    What deeper layers see, shapes and motifs, the smaller scales have settled, and a style picture
    of web size would ask for them ever smaller. The shallow layers take 45 % of the time of a step
    and give the same brushwork. The content is held in means over 16 pixels: that leaves the brush
    free, and takes a sixteenth of the memory, which otherwise would be the most of all.
    """
    shallow = {n: w for n, w in recipe.style_layers.items() if n in FINE_LAYERS}
    held = recipe.content_weight * content_at(recipe, long_side, last)
    if long_side <= LARGE or not shallow:
        return replace(recipe, content_weight=held)
    if long_side <= FINE:
        *upper, _ = recipe.style_layers.items()
        return replace(recipe, style_layers=dict(upper), content_weight=held)
    return replace(
        recipe,
        style_layers=shallow,
        near_layers={},
        content_layer=FINE_CONTENT,
        content_pool=FINE_POOL,
        content_focus=0.0,
        hold={},
        faces={},
    )


def content_factor(strength: float) -> float:
    """Factor on the content weight for a strength of 0–100: 30 at 0, 1 at 50, 1/30 at 100."""
    return float(30.0 ** ((50.0 - strength) / 50.0))


def tv_factor(smoothness: float) -> float:
    """Factor on the total variation weight for a smoothness of 0–100; 0 at 0, 1 at 20, 125 at 100.

    A cubic, because between no grain and flat areas lies a factor of a hundred.
    """
    return (smoothness / 20.0) ** 3


def layer_balance(layers: Mapping[str, float], shapes: float) -> dict[str, float]:
    """``layers`` (shallow to deep) tilted towards large shapes for ``shapes`` above 50.

    At 0 and 100 the first and the last layer change by a factor of `TILT` in opposite directions;
    the sum of the weights stays. At 50 nothing changes.
    """
    tilt = TILT ** ((shapes - 50.0) / 50.0)
    last = max(1, len(layers) - 1)
    tilted = {n: w * tilt ** (2 * i / last - 1) for i, (n, w) in enumerate(layers.items())}
    factor = sum(layers.values()) / sum(tilted.values())
    return {n: w * factor for n, w in tilted.items()}


EARLY = 0.2
"""How much sooner than at half a step another scale is put in: leaps are worse than small steps."""


def scale_sizes(recipe: Recipe, long_side: int) -> tuple[int, ...]:
    """Long sides of the pyramid, ascending, ending with ``long_side``.

    Pictures larger than `PREVIEW_PX` pass through the scales of one of that size, and go on from
    there in equal steps of about ``recipe.ratio``: so a small preview is what the large picture was
    on its way.
    """
    between = round(math.log(max(1.0, long_side / PREVIEW_PX), recipe.ratio) + EARLY)
    if between:
        growth = (long_side / PREVIEW_PX) ** (1 / between)
        after = [round(PREVIEW_PX * growth**k) for k in range(1, between)]
        return (*scale_sizes(recipe, PREVIEW_PX), *after, long_side)
    sizes = [float(long_side)]
    while sizes[-1] / recipe.ratio >= recipe.smallest * 0.9:
        sizes.append(sizes[-1] / recipe.ratio)
    return tuple(round(s) for s in reversed(sizes))


def scale_steps(recipe: Recipe, sizes: tuple[int, ...], total: int) -> tuple[int, ...]:
    """Steps per scale: the recipe's, or ``total`` (if not 0) shared out in the same proportion."""
    falling = [recipe.iterations * (512 / s) ** recipe.decline for s in sizes]
    if recipe.rising:
        early = [recipe.iterations * s / PREVIEW_PX for s in sizes[:-1]]
        falling[:-1] = [min(e, f) for e, f in zip(early, falling[:-1], strict=True)]
    wanted = [max(recipe.least, min(recipe.most, f)) for f in falling]
    if not total:
        return tuple(round(w) for w in wanted)
    ends = [round(total * sum(wanted[: i + 1]) / sum(wanted)) for i in range(len(wanted))]
    return tuple(b - a for a, b in zip([0, *ends], ends, strict=False))
