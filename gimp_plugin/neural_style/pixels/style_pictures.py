"""The pictures of a run besides its content: styles and their places; small results; names."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator

from gi.repository import Gegl, Gimp

from choice.choice import StyleChoice
from disk.regular import local_path, read_regular
from engine.request import Mask, StyleFile, StylePixels
from language.texts import _
from pixels import tilewise
from pixels.layers import whole
from pixels.private_copy import PrivateCopy, copy_of_channel, copy_of_layer
from pixels.reading import Reader
from pixels.rect import Rect
from pixels.small import small_scale, small_spec, small_strips
from protocol import EngineError, PictureSpec

STYLE_BYTES = 512 << 20
SMALL_PX = 1024
MASK_PX = 4096


def read_style(uri: str) -> bytes:
    """The bytes of a style picture; raises `EngineError` ("no-style")."""
    choose = _("Choose the picture whose style shall be painted.")
    path = local_path(uri)
    if path is None:
        text = _("The style picture {file} is not a file on this computer.").format(file=uri)
        raise EngineError("no-style", text, choose)
    try:
        data = read_regular(path, STYLE_BYTES)
    except OSError as problem:
        if problem.errno == errno.EFBIG:
            text = _("The style picture {file} is over 512 MB.").format(file=path)
        else:
            reason = f"{path}: {problem.strerror or problem}"
            text = _("The style picture cannot be read ({reason}).").format(reason=reason)
        raise EngineError("no-style", text, choose) from None
    if not data:
        text = _("The style picture {file} is empty.").format(file=path)
        raise EngineError("no-style", text, choose)
    return data


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
            styles.append(StyleFile(read_style(choice.uri), choice.name, choice.weight, mask))
            continue
        found = Gimp.Item.get_by_id(choice.layer)
        if not isinstance(found, Gimp.Layer) or not found.is_valid():
            raise EngineError(
                "no-style",
                _("The layer that was the style is not there any more."),
                _("Choose the picture whose style shall be painted."),
            )
        spec, strips = _layer_pixels(found, small)
        styles.append(StylePixels(spec, strips, choice.name, choice.weight, mask))
    return tuple(styles)


def _layer_pixels(layer: Gimp.Layer, small: bool) -> tuple[PictureSpec, Iterator[tilewise.Part]]:
    """A layer as it is now, for the engine."""
    copy = copy_of_layer(layer)
    area = whole(copy.drawable)
    if not small:
        reader = Reader(copy, area, "u8")
        return reader.spec, _and_close(reader.strips(), copy)
    spec = small_spec(area, SMALL_PX)
    return spec, _and_close(small_strips(copy.drawable, area, spec), copy)


def _and_close(parts: Iterator[tilewise.Part], copy: PrivateCopy) -> Iterator[tilewise.Part]:
    try:
        yield from parts
    finally:
        copy.close()


def places(image: Gimp.Image) -> dict[str, Gimp.Drawable]:
    """What can say where a style goes, or what is held: channels and layer masks, by name."""
    found = {channel.get_name(): channel for channel in image.get_channels()}
    for layer in image.get_layers():
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
    return Mask(spec.width, spec.height, _and_close(parts, copy))
