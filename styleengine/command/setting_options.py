"""The options of commands that are settings of a painting."""

from __future__ import annotations

import dataclasses
from typing import Any


def add_setting(group: Any, field: dataclasses.Field[Any], default: Any, **more: Any) -> None:
    """Adds the option for a ``field`` of `Settings` to an argument group, with that ``default``."""
    meta = field.metadata
    unit = f" {meta['unit']}" if meta["unit"] else ""
    bounds = "" if meta["low"] is None else f" ({meta['low']:g} to {meta['high']:,.10g}{unit})"
    group.add_argument(
        "--" + field.name.replace("_", "-"),
        dest=field.name,
        type=type(field.default),
        default=default,
        choices=meta["choices"] and list(meta["choices"]),
        metavar=None if meta["choices"] else "TEXT" if field.type == "str" else "N",
        help=f"{meta['help']}{bounds} [{default!s}]".replace("%", "%%"),
        **more,
    )
