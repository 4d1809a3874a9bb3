"""The pictures of a run besides its content: styles and their places; small results; names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gi.repository import Gegl, Gimp

from choice.choice import StyleChoice
from engine.request import Mask, StyleFile, StylePixels
from language.texts import _
from pixels import tilewise
from pixels.layers import all_layers, whole
from pixels.private_copy import PrivateCopy, copy_of_channel, copy_of_layer
from pixels.reading import Reader
from pixels.rect import Rect
from pixels.small import small_scale, small_spec, small_strips
from pixels.style_files import is_for_gimp, opened_by_gimp, read_style, style_path
from protocol import EngineError, PictureSpec

SMALL_PX = 1024
MASK_PX = 4096
MOST_PX = 32_000_000  # of a style; the engine itself makes larger files smaller


def load_styles(
    choices: Iterable[StyleChoice], image: Gimp.Image, layer: Gimp.Layer, rect: Rect, small: bool
) -> tuple[StyleFile | StylePixels, ...]:
    """The chosen styles for the engine; raises `EngineError` ("no-style").

    ``rect`` is the part of ``layer`` that is painted: where the masks apply. ``small`` is enough
    for a preview.
    """
    styles: list[StyleFile | StylePixels] = []
    for choice in choices:
        if choice.where and image.is_valid():
            gone = _no_channel(choice.where, _("Choose where the style shall be painted."))
            mask = _mask(choice.where, image, layer, rect, small, gone)
        else:
            mask = None
        if choice.uri:
            styles.append(_from_file(choice, mask, small))
            continue
        found = Gimp.Item.get_by_id(choice.layer)
        if not isinstance(found, Gimp.Layer) or not found.is_valid():
            raise EngineError(
                "no-style",
                _("The layer that was the style is not there any more."),
                _("Choose the picture whose style shall be painted."),
            )
        spec, strips = _pixels_of(copy_of_layer(found), small)
        styles.append(StylePixels(spec, strips, choice.name, choice.weight, mask))
    return tuple(styles)


def _from_file(choice: StyleChoice, mask: Mask | None, small: bool) -> StyleFile | StylePixels:
    path = style_path(choice.uri)
    if is_for_gimp(path) and (copy := opened_by_gimp(path)) is not None:
        spec, strips = _pixels_of(copy, small)
        return StylePixels(spec, strips, choice.name, choice.weight, mask)
    # What GIMP does not open, either, the engine has a word for.
    return StyleFile(read_style(path), choice.name, choice.weight, mask)


def _pixels_of(copy: PrivateCopy, small: bool) -> tuple[PictureSpec, Iterator[tilewise.Part]]:
    """A layer as it was copied, for the engine; a huge one is reduced."""
    area = whole(copy.drawable)
    pixels = area.width * area.height
    if not small and pixels <= MOST_PX:
        reader = Reader(copy, area, "u8")
        return reader.spec, _Parts(reader.strips(), copy)
    long_side = max(area.width, area.height)
    spec = small_spec(area, SMALL_PX if small else int(long_side * (MOST_PX / pixels) ** 0.5))
    return spec, _Parts(small_strips(copy.drawable, area, spec), copy)


class _Parts:
    """The parts of a private copy, which is closed when they have been read, or never will be."""

    def __init__(self, parts: Iterator[tilewise.Part], copy: PrivateCopy) -> None:
        self._parts, self._copy = parts, copy

    def __iter__(self) -> Iterator[tilewise.Part]:
        return self

    def __next__(self) -> tilewise.Part:
        try:
            return next(self._parts)
        except BaseException:
            self._copy.close()
            raise

    def __del__(self) -> None:
        self._copy.close()


def places(image: Gimp.Image) -> dict[str, Gimp.Drawable]:
    """What can say where a style goes, or what is held: channels and layer masks, by name."""
    found = {channel.get_name(): channel for channel in image.get_channels()}
    for layer in all_layers(image):
        if layer.get_mask() is not None:
            found[_("Mask of {layer}").format(layer=layer.get_name())] = layer.get_mask()
    return found


def load_hold(
    name: str, image: Gimp.Image, layer: Gimp.Layer, rect: Rect, small: bool
) -> Mask | None:
    """What the channel ``name`` says of ``rect`` of ``layer`` is to be held; None without a name.

    ``small`` is enough for a preview. Raises `EngineError` ("no-channel").
    """
    if not name or not image.is_valid():
        return None
    gone = _no_channel(name, _("Choose what shall be held."), "no-channel")
    return _mask(name, image, layer, rect, small, gone)


def _no_channel(name: str, hint: str, code: str = "no-style") -> EngineError:
    return EngineError(code, _("There is no channel {name} any more.").format(name=name), hint)


def _mask(
    name: str,
    image: Gimp.Image,
    layer: Gimp.Layer,
    rect: Rect,
    small: bool,
    gone: EngineError,
) -> Mask:
    """The channel ``name`` over ``rect`` of ``layer``; raises ``gone`` where there is none."""
    place = places(image).get(name)
    if place is None:
        raise gone
    _ok, left, top = layer.get_offsets()
    _ok, place_left, place_top = place.get_offsets()
    seen = rect.moved(left - place_left, top - place_top)
    spec = small_spec(rect, SMALL_PX if small else MASK_PX)
    scale = small_scale(rect, spec)
    area = round(seen.x * scale), round(seen.y * scale), spec.width, spec.height
    copy = copy_of_channel(place)
    none = Gegl.AbyssPolicy.NONE
    parts = tilewise.read(copy.drawable.get_buffer(), area, scale, copy.form, 1, none)
    return Mask(spec.width, spec.height, _Parts(parts, copy))
