"""Opacity and mode of a finished layer, changed from the dialog."""

from __future__ import annotations

from gi.repository import Gimp

MODES = {
    "normal": Gimp.LayerMode.NORMAL,
    "darken": Gimp.LayerMode.DARKEN_ONLY,
    "multiply": Gimp.LayerMode.MULTIPLY,
    "lighten": Gimp.LayerMode.LIGHTEN_ONLY,
    "screen": Gimp.LayerMode.SCREEN,
    "overlay": Gimp.LayerMode.OVERLAY,
    "soft-light": Gimp.LayerMode.SOFTLIGHT,
    "hard-light": Gimp.LayerMode.HARDLIGHT,
    "color": Gimp.LayerMode.LCH_COLOR,
    "luminance": Gimp.LayerMode.LUMINANCE,
}


def look(layer: Gimp.Layer) -> tuple[float, str]:
    """The layer's opacity (0–100) and the name of its mode; that is empty for another one."""
    names = [name for name, mode in MODES.items() if mode == layer.get_mode()]
    return layer.get_opacity(), names[0] if names else ""


def touch(layer: Gimp.Layer, opacity: float, mode: str) -> None:
    """Changes both, as part of the step that inserted the layer: one undo takes the layer away, and
    redo brings it back as it was changed.

    That is so because what is changed while an image's undo is frozen is no step of its own; the
    layer itself, which undo keeps, has it. A slider would leave a hundred steps else.
    """
    image = layer.get_image()
    image.undo_freeze()
    try:
        layer.set_opacity(opacity)
        if mode in MODES:
            layer.set_mode(MODES[mode])
    finally:
        image.undo_thaw()
    Gimp.displays_flush()
