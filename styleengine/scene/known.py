"""A large picture of which all is known small, and some parts at full size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from styleengine.jobs import Part, Spot
from styleengine.pictures.picture import Floats, Picture
from styleengine.planning.spots import Area, Size
from styleengine.scene import resample
from styleengine.scene.scene import Scene
from styleengine.scene.windows import Window, part


class Known:
    """The content of a scene at the sizes of its scales, in parts, as the network is shown it."""

    def __init__(self, scene: Scene, spot: Spot) -> None:
        self._scene = scene
        source = scene.levels.source
        self._given = spot.parts[0] if spot.parts else Part(source.given, 0, 0)
        self._at = whole = spot.whole[1], spot.whole[0]
        self._small = (source.height, source.width)
        self._parts = [
            Window(_filled(each.picture), whole, each.top, each.left) for each in spot.parts
        ]

    @property
    def middles(self) -> Sequence[tuple[float, float]]:
        """The middles of the parts but the first, down and across, 0–1."""
        found = []
        for window in self._parts[1:]:
            area, (height, width) = window.area, window.whole
            middle = (area.top + area.bottom) / 2 / height, (area.left + area.right) / 2 / width
            found.append(middle)
        return found

    def at(self, scale: int, area: Area) -> Tensor:
        """The content (1, 3, h, w) of an area at a scale."""
        scene, size = self._scene, self._scene.plan.sizes[scale]
        if max(size) <= max(self._small) or not self._parts:
            return part(scene.content(scale), area)
        middle = [(area.top + area.bottom) / 2 / size[0], (area.left + area.right) / 2 / size[1]]
        window = min(self._parts, key=lambda each: _distance(each, middle))
        found = window.at(size, area).image.clamp(0, 1).to(scene.levels.source.device)
        return scene.seen(found)

    def colors(self, whole: Size, area: Area) -> Tensor:
        """The photo (1, 3, h, w) as it was given, of an area of the picture of ``whole`` size."""
        given = self._given
        found = Window(resample.to_tensor(given.picture.rgb), self._at, given.top, given.left)
        return found.at(whole, area).image.clamp(0, 1)

    def alpha(self, whole: Size, area: Area) -> Floats | None:
        """Its alpha (h, w); None if it is opaque."""
        given = self._given
        if given.picture.alpha is None:
            return None
        found = Window(resample.to_tensor(given.picture.alpha), self._at, given.top, given.left)
        return found.at(whole, area).image.clamp(0, 1)[0, 0].numpy()


def _filled(picture: Picture) -> Tensor:
    colors = resample.to_tensor(picture.rgb)
    if picture.alpha is None:
        return colors
    return resample.fill_transparent(colors, resample.to_tensor(picture.alpha))


def _distance(window: Window, middle: Sequence[float]) -> float:
    """How far a place (down and across, 0–1) lies outside of a window, or from its middle."""
    area, whole = window.area, window.whole
    far = 0.0
    for low, high, place, side in (
        (area.top, area.bottom, middle[0], whole[0]),
        (area.left, area.right, middle[1], whole[1]),
    ):
        at = place * side
        far = max(far, low - at, at - high, abs(at - (low + high) / 2) / side)
    return far
