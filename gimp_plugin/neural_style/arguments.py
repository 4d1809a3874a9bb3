"""The procedure's arguments, made from the fields of `Settings`, and the values chosen for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any

from gi.repository import Gimp, Gio, GObject

from choice.choice import Choice, StyleChoice, blend_from, blend_text
from choice.styles import title
from language.mnemonics import Mnemonics
from language.texts import _
from protocol import EngineError, Settings

STYLE = "style"
STYLE_LAYER = "style-layer"
BLEND = "blend"
HOLD = "hold"
STEADY = "steady"
READWRITE = GObject.ParamFlags.READWRITE
TAKEN_KEYS = "rcolshpye"  # by the two arguments above and the buttons of GIMP's own dialogs


def argument_name(field: Field[Any]) -> str:
    """The name of the argument for a field of `Settings`."""
    return field.name.replace("_", "-")


def add_arguments(procedure: Gimp.Procedure) -> None:
    """Gives the procedure all its arguments and its return value."""
    chosen = fields(Settings)
    keys = Mnemonics(TAKEN_KEYS)
    # ANY, because for OPEN GIMP itself refuses a missing file, in words that help nobody.
    procedure.add_file_argument(
        STYLE,
        _("Style _picture"),
        _("The picture whose style is painted"),
        Gimp.FileChooserAction.ANY,
        True,
        None,
        READWRITE,
    )
    procedure.add_drawable_argument(
        STYLE_LAYER,
        _("Style la_yer"),
        _("A layer of any open image whose style is painted, instead of a file"),
        True,
        READWRITE,
    )
    procedure.add_string_argument(
        BLEND,
        _("Blend of styles"),
        _("Several style files instead of one: a JSON list of {uri, weight, where}"),
        "",
        READWRITE,
    )
    procedure.add_string_argument(
        HOLD,
        _("Hold"),
        _(
            "The name of the channel or layer mask that says what of the layer stays what it is, "
            "in the style's strokes and colours: white fully, gray less"
        ),
        "",
        READWRITE,
    )
    procedure.add_boolean_argument(
        STEADY,
        _("Steady from layer to layer"),
        _(
            "Paints each layer as the one below it, moved as the picture has moved: the frames of "
            "an animation, the lowest first, do not flicker. Layers of another size begin afresh."
        ),
        True,
        READWRITE,
    )
    for field in chosen:
        _add_argument(procedure, field, keys.label(_(field.metadata["label"])))
    add_return_value(procedure)


def add_return_value(procedure: Gimp.Procedure) -> None:
    """Gives the procedure the new layer as its answer."""
    procedure.add_layer_return_value("layer", _("Layer"), _("The new layer"), True, READWRITE)


def _add_argument(procedure: Gimp.Procedure, field: Field[Any], label: str) -> None:
    meta, name = field.metadata, argument_name(field)
    about = _(meta["help"])
    if meta["unit"]:
        label = f"{label} ({meta['unit']})"
    if meta["choices"]:
        choice = Gimp.Choice.new()
        for number, (value, text) in enumerate(meta["choices"].items()):
            choice.add(value, number, _(text), "")
        procedure.add_choice_argument(name, label, about, choice, field.default, READWRITE)
    elif isinstance(field.default, str):
        procedure.add_string_argument(name, label, about, field.default, READWRITE)
    elif isinstance(field.default, int):
        low, high = int(meta["low"]), int(meta["high"])
        procedure.add_int_argument(name, label, about, low, high, field.default, READWRITE)
    else:
        procedure.add_double_argument(
            name, label, about, meta["low"], meta["high"], field.default, READWRITE
        )


def settings_from(config: Gimp.ProcedureConfig) -> Settings:
    """The chosen settings; raises `EngineError` ("bad-setting")."""
    values = {}
    for field in fields(Settings):
        value = config.get_property(argument_name(field))
        values[field.name] = "" if value is None else value  # 3.2 has None for an empty text
    return Settings.from_dict(values)


def put_settings(config: Gimp.ProcedureConfig, settings: Settings) -> None:
    """Makes ``settings`` the values of the call."""
    for name, value in settings.to_dict().items():
        config.set_property(name.replace("_", "-"), value)


def put_choice(config: Gimp.ProcedureConfig, choice: Choice, steady: bool) -> None:
    """Makes a choice that of the call, which GIMP then remembers for its Repeat."""
    config.set_property(STEADY, steady)
    put_settings(config, choice.settings)
    put_styles(config, choice.styles)
    config.set_property(HOLD, choice.hold)


def choice_of_call(config: Gimp.ProcedureConfig) -> Choice:
    """What the call asks for; raises `EngineError` ("no-style", "bad-setting")."""
    hold = config.get_property(HOLD) or ""
    return Choice(settings_from(config), styles_from(config), hold)


def put_styles(config: Gimp.ProcedureConfig, styles: Sequence[StyleChoice]) -> None:
    """Makes files or a layer the styles of the call."""
    first = styles[0]
    layer = Gimp.Item.get_by_id(first.layer) if first.layer else None
    config.set_property(STYLE, Gio.File.new_for_uri(first.uri) if first.uri else None)
    config.set_property(STYLE_LAYER, layer)
    config.set_property(BLEND, blend_text(styles))


def styles_from(config: Gimp.ProcedureConfig) -> tuple[StyleChoice, ...]:
    """The chosen styles; raises `EngineError` ("no-style", "bad-setting")."""
    blend = config.get_property(BLEND)
    if blend:
        return blend_from(blend)
    layer = config.get_property(STYLE_LAYER)
    if layer is not None and layer.is_valid():
        return (StyleChoice(layer=layer.get_id(), name=layer.get_name()),)
    file = config.get_property(STYLE)
    if file is None:
        choose = _("Choose the picture whose style shall be painted.")
        raise EngineError("no-style", _("No style picture was chosen."), choose)
    return (StyleChoice(file.get_uri(), name=title(file.get_uri())),)
