"""The options of ``styleengine run``."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from styleengine.command.run import run_command
from styleengine.command.setting_options import add_setting
from styleengine.protocol import Settings


def add_run(commands: Any) -> None:
    """Adds the command, with one option per field of `Settings`."""
    run = commands.add_parser("run", help="repaint pictures", description=run_command.__doc__)
    run.add_argument(
        "content",
        nargs="+",
        metavar="PHOTO",
        help="the picture to repaint; or several, a folder, a quoted pattern ('dir/*.png')",
    )
    run.add_argument(
        "--style",
        action="append",
        default=[],
        metavar="PAINTING",
        help="the picture whose style to use; give it several times to blend styles",
    )
    run.add_argument(
        "--style-weight",
        action="append",
        type=float,
        default=[],
        metavar="N",
        help="the share of each --style in the blend, in the same order (default: equal)",
    )
    run.add_argument(
        "--style-mask",
        action="append",
        default=[],
        metavar="MASK",
        help="where each --style is painted, in the same order: a picture, white there and black "
        "elsewhere, or - for wherever no mask is",
    )
    run.add_argument(
        "--hold",
        metavar="MASK",
        help="what of a PHOTO stays what it is, in the style's strokes and colours: a picture, "
        "white there, gray for less, black elsewhere (not with the quality classic)",
    )
    run.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="PNG, TIFF, JPEG or WebP (default: a new PHOTO-styled.png); of several photos the "
        "folder for their paintings",
    )
    run.add_argument(
        "--overwrite",
        action="store_true",
        help="of several photos, paint those, too, whose paintings are in the folder already",
    )
    run.add_argument(
        "--steady",
        action="store_true",
        help="several photos are the frames of a film, in this order: each is painted as the one "
        "before was, moved as the photo has moved, so that nothing flickers",
    )
    run.add_argument(
        "--depth",
        type=int,
        choices=(8, 16),
        help="bits per sample of the result (default: PHOTO's)",
    )
    run.add_argument(
        "--like",
        metavar="FILE",
        help="the settings and styles that a picture was painted with, as its file says; options "
        "given besides count more, and styles are looked for by name in the folders of FILE and of "
        "the photos",
    )
    run.add_argument(
        "--no-settings",
        action="store_true",
        help="do not write settings and the names of the styles into the results",
    )
    run.add_argument(
        "--dpi",
        type=float,
        metavar="N",
        help="pixels per inch at which PHOTO is printed, for --brush-mm (default: its own)",
    )
    run.add_argument("--weights", metavar="FILE", help="VGG19 weights (.h5, .safetensors, .pth)")
    run.add_argument(
        "--save-every", type=int, metavar="N", help="also save the picture every N steps, numbered"
    )
    run.add_argument("--trace", metavar="FILE", help="write every step's loss and time as JSON")
    run.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    options = run.add_argument_group("settings")
    for field in dataclasses.fields(Settings):
        add_setting(options, field, field.default, action=_Given)
    run.set_defaults(function=run_command)


class _Given(argparse.Action):
    """Stores a value, and its name in ``given``: what was said counts more than --like."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        setattr(namespace, self.dest, values)
        namespace.given = {*getattr(namespace, "given", ()), self.dest}
