"""A large picture of which all is known small, and a spot at full size."""

from __future__ import annotations

from torch import Tensor

from styleengine.jobs import Part, Spot
from styleengine.pictures.picture import Floats, Picture
from styleengine.planning.spots import Area, Size
from styleengine.scene import resample
from styleengine.scene.scene import Scene
from styleengine.scene.windows import Window, part


class Known:
    """The content of a scene at the sizes of its scales, in parts, as the network is shown it."""

    def __init__(self, scene: Scene, spot: Spot, content: Picture) -> None:
        """``content`` is the whole picture as it was given, small."""
        self._scene, self._wrap = scene, scene.plan.wrap
        source = scene.levels.source
        self._given = spot.part or Part(source.given, 0, 0)
        self._at = spot.whole[1], spot.whole[0]
        self._small = (source.height, source.width)
        self._part: Window | None = None
        if spot.part is not None:
            self._part = self._window(_filled(spot.part.picture), spot.part)
        if self._part is not None and any(self._wrap):  # made to close as all of it was
            smooth = resample.to_tensor(source.given.rgb - content.rgb)
            taken = Window(smooth, self._small, wrap=self._wrap).at(self._at, self._part.area)
            self._part.image.add_(taken.image)

    def _window(self, image: Tensor, at: Part) -> Window:
        return Window(image, self._at, at.top, at.left, self._wrap)

    def at(self, scale: int, area: Area) -> Tensor:
        """The content (1, 3, h, w) of an area at a scale."""
        scene, size = self._scene, self._scene.plan.sizes[scale]
        if self._part is None or max(size) <= max(self._small):
            return Window(scene.content(scale), size, wrap=self._wrap).at(size, area).image
        device = scene.levels.source.device
        found = self._part.at(size, area).image.clamp(0, 1).to(device)
        if any(self._wrap):  # what lies beyond the ends is not sent
            sharp = self._part.area.scaled(self._at, size).cut(area)
            known, found = found, self._small_at(size, area)
            inner = sharp.within(area)
            part(found, inner).copy_(part(known, inner))
        return scene.seen(found)

    def _small_at(self, size: Size, area: Area) -> Tensor:
        """The colours of an area as the small picture has them."""
        most = max(
            k for k, own in enumerate(self._scene.plan.sizes) if max(own) <= max(self._small)
        )
        small = self._scene.levels[most]
        own = small.shape[-2], small.shape[-1]
        return Window(small, own, wrap=self._wrap).at(size, area).image.clamp(0, 1)

    def colors(self, whole: Size, area: Area) -> Tensor:
        """The photo (1, 3, h, w) as it was given, of an area of the picture of ``whole`` size."""
        image = resample.to_tensor(self._given.picture.rgb)
        return self._window(image, self._given).at(whole, area).image.clamp(0, 1)

    def alpha(self, whole: Size, area: Area) -> Floats | None:
        """Its alpha (h, w); None if it is opaque."""
        if self._given.picture.alpha is None:
            return None
        image = resample.to_tensor(self._given.picture.alpha)
        return self._window(image, self._given).at(whole, area).image.clamp(0, 1)[0, 0].numpy()


def _filled(picture: Picture) -> Tensor:
    colors = resample.to_tensor(picture.rgb)
    if picture.alpha is None:
        return colors
    return resample.fill_transparent(colors, resample.to_tensor(picture.alpha))
