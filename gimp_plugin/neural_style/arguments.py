"""The procedure's arguments, made from the fields of `Settings`, and the values chosen for them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, Gio, GObject  # noqa: E402
from protocol import EngineError, Settings  # noqa: E402

STYLE = "style"
STYLE_LAYER = "style-layer"
READWRITE = GObject.ParamFlags.READWRITE
STYLE_LABEL = "Style _picture"
STYLE_LAYER_LABEL = "Style la_yer"
TAKEN_KEYS = "rcolshpye"  # by the two above and the buttons of GimpUi.ProcedureDialog


def argument_name(field: Field[Any]) -> str:
    """The name of the argument for a field of `Settings`."""
    return field.name.replace("_", "-")


def with_mnemonics(labels: list[str]) -> Iterator[str]:
    """The labels, each with an underscore before a letter that no other one has taken."""
    taken = set(TAKEN_KEYS)
    for label in labels:
        free = [
            i for i, c in enumerate(label) if c.isascii() and c.isalpha() and c.lower() not in taken
        ]
        if free:
            taken.add(label[free[0]].lower())
            label = f"{label[: free[0]]}_{label[free[0] :]}"
        yield label


def add_arguments(procedure: Gimp.Procedure) -> None:
    """Gives the procedure all its arguments and its return value."""
    chosen = fields(Settings)
    labels = with_mnemonics([f.metadata["label"] for f in chosen])
    # ANY, because for OPEN GIMP itself refuses a missing file, in words that help nobody.
    procedure.add_file_argument(
        STYLE,
        STYLE_LABEL,
        "The picture whose style is painted",
        Gimp.FileChooserAction.ANY,
        True,
        None,
        READWRITE,
    )
    procedure.add_drawable_argument(
        STYLE_LAYER,
        STYLE_LAYER_LABEL,
        "A layer of any open image whose style is painted, instead of a file",
        True,
        READWRITE,
    )
    for field, label in zip(chosen, labels):
        _add_argument(procedure, field, label)
    procedure.add_layer_return_value("layer", "Layer", "The new layer", True, READWRITE)


def _add_argument(procedure: Gimp.Procedure, field: Field[Any], label: str) -> None:
    meta, name = field.metadata, argument_name(field)
    if meta["unit"]:
        label = f"{label} ({meta['unit']})"
    if meta["choices"]:
        choice = Gimp.Choice.new()
        for number, (value, text) in enumerate(meta["choices"].items()):
            choice.add(value, number, text, "")
        procedure.add_choice_argument(name, label, meta["help"], choice, field.default, READWRITE)
    elif isinstance(field.default, str):
        procedure.add_string_argument(name, label, meta["help"], field.default, READWRITE)
    elif isinstance(field.default, int):
        low, high = int(meta["low"]), int(meta["high"])
        procedure.add_int_argument(name, label, meta["help"], low, high, field.default, READWRITE)
    else:
        procedure.add_double_argument(
            name, label, meta["help"], meta["low"], meta["high"], field.default, READWRITE
        )


def settings_from(config: Gimp.ProcedureConfig) -> Settings:
    """The chosen settings; raises `EngineError` ("bad-setting")."""
    values = {}
    for field in fields(Settings):
        value = config.get_property(argument_name(field))
        values[field.name] = "" if value is None else value  # 3.2 has None for an empty text
    return Settings.from_dict(values)


# --- the last choice --------------------------------------------------------------------------
# GIMP remembers values only after a run that succeeded; these survive a cancelled or failed one.


def remember(path: Path, config: Gimp.ProcedureConfig) -> None:
    """Writes the chosen values to ``path``; a full or read-only disk is no reason to stop."""
    style = config.get_property(STYLE)
    values = {
        **settings_from(config).to_dict(),
        STYLE: style.get_uri() if style is not None else None,
    }
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(values, indent=1), encoding="utf-8")
        os.replace(part, path)


def recall(path: Path, config: Gimp.ProcedureConfig) -> None:
    """Sets the values that `remember` wrote to ``path``, as far as they are still valid."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if not isinstance(values, dict):
        return
    for field in fields(Settings):
        if field.name in values:
            try:
                value = getattr(Settings.from_dict({field.name: values[field.name]}), field.name)
            except EngineError:
                continue
            config.set_property(argument_name(field), value)
    if isinstance(values.get(STYLE), str):
        style = Gio.File.new_for_uri(values[STYLE])
        if style.query_exists(None):
            config.set_property(STYLE, style)
