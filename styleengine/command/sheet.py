"""``styleengine sheet``: one photo in many styles, small, on a contact sheet with their names."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from styleengine.command.many import INTERRUPTED, OF_THE_PHOTO
from styleengine.command.photos import named
from styleengine.command.places import require_other, save_result
from styleengine.command.setting_options import add_setting
from styleengine.command.terminal import console
from styleengine.command.watching import Watch
from styleengine.protocol import EngineError, Settings

if TYPE_CHECKING:
    from PIL import Image

    from styleengine.pictures.picture import Picture

SIDE = 192
STEPS = 12
"""Of the draft network, for a picture of that size: more change little that is seen."""
STYLE_PX, STYLE_MOST = 512, 4_000_000
OFFERED = "preset", "strength", "style_scale", "smoothness", "keep_colors", "features", "device"
GAP, TEXT = 12, 14  # pixels between pictures, and height of letters at SIDE
SHAPE = 4 / 3
PAPER, INK = (250, 250, 248), (40, 40, 40)


def add_sheet(commands: Any) -> None:
    """The command's options."""
    sheet = commands.add_parser(
        "sheet",
        help="one photo in many styles, as a contact sheet",
        description=sheet_command.__doc__,
    )
    sheet.add_argument("photo", metavar="PHOTO", help="the picture to see in all styles")
    sheet.add_argument(
        "--styles",
        nargs="+",
        required=True,
        metavar="DIR",
        help="folders of style pictures, single ones, or quoted patterns ('dir/*.jpg')",
    )
    sheet.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="PNG, TIFF, JPEG or WebP (default: a new PHOTO-sheet.jpg)",
    )
    sheet.add_argument(
        "--side", type=int, default=SIDE, metavar="N",
        help=f"long side of each picture in pixels (64 to 1024) [{SIDE}]",
    )  # fmt: skip
    sheet.add_argument(
        "--columns", type=int, default=0, metavar="N", help="pictures in a row [about 4 to 3]"
    )
    sheet.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    options = sheet.add_argument_group("settings")
    for field in dataclasses.fields(Settings):
        if field.name in OFFERED:
            default = "draft" if field.name == "preset" else field.default
            add_setting(options, field, default)
    sheet.set_defaults(function=sheet_command)


def sheet_command(args: argparse.Namespace) -> int:
    """Shows PHOTO in the style of every picture in DIR, painted small, on one sheet.

    Ctrl-C stops, and keeps a sheet of what there is.
    """
    from styleengine.pictures.files import load, require_writable

    if not 64 <= args.side <= 1024 or args.columns < 0:
        raise EngineError(
            "bad-setting", "A picture of the sheet has 64 to 1024 pixels, a row at least one."
        )
    chosen = {name: getattr(args, name) for name in OFFERED}
    steps = STEPS if args.preset == "draft" else 0
    settings = Settings(**chosen, size=args.side, iterations=steps)
    styles, photo = named(args.styles).files, Path(args.photo)
    output = Path(args.output) if args.output else photo.with_name(f"{photo.stem}-sheet.jpg")
    require_other(output, [photo, *styles])
    require_writable(output)
    content, started = _small(load(photo), args.side), time.monotonic()
    cells, failures, stopped = _painted(args, settings, content, styles)
    if len(cells) == 1:
        raise failures[0] if failures else EngineError("stopped", "Nothing was painted.")
    picture = laid_out(cells, args.columns)
    output = save_result(output, picture, named=bool(args.output))
    if not args.quiet:
        seconds = time.monotonic() - started
        count = f"{len(cells) - 1} style{'s' if len(cells) != 2 else ''}"
        size = f"{picture.width} × {picture.height} px"
        console.print(f"{output}: {count}, {size} in {seconds:.0f} s", soft_wrap=True)
    return INTERRUPTED if stopped else 1 if failures else 0


def _painted(
    args: argparse.Namespace, settings: Settings, content: Picture, styles: tuple[Path, ...]
) -> tuple[list[tuple[str, Picture]], list[EngineError], bool]:
    """The photo and its paintings by name, what went wrong, and whether Ctrl-C came."""
    from styleengine.engine import Engine
    from styleengine.jobs import Job, Style
    from styleengine.pictures.files import load

    cells, failures = [(content.name, content)], []
    engine = Engine()
    with Watch(args.quiet, len(styles)) as watch:
        for path in styles:
            try:
                style = _small(load(path, STYLE_MOST), STYLE_PX)
                result = watch.paint(engine, Job(content, (Style(style),), settings), path.name)
            except EngineError as problem:
                if problem.code not in OF_THE_PHOTO:
                    raise
                failures.append(problem)
                if not args.quiet and len(styles) > 1:  # else it is said at the end
                    watch.say(f"{path}: {problem.message}")
            else:
                if result.stopped:
                    break
                cells.append((style.name, result.picture))
            if watch.interrupted:
                break
            watch.passed()
        return cells, failures, watch.interrupted


def _small(picture: Picture, side: int) -> Picture:
    """The picture with no more than ``side`` pixels a side."""
    from styleengine.pictures.picture import Picture, fit
    from styleengine.scene.resample import resize, to_array, to_tensor

    if max(picture.width, picture.height) <= side:
        return picture
    size = fit(picture.width, picture.height, side)
    rgb = to_array(resize(to_tensor(picture.rgb), size).clamp(0, 1))
    alpha = picture.alpha
    if alpha is not None:
        alpha = to_array(resize(to_tensor(alpha[..., None]), size).clamp(0, 1))[..., 0]
    return Picture(rgb, alpha, name=picture.name)


def laid_out(cells: list[tuple[str, Picture]], columns: int = 0) -> Picture:
    """Pictures of one size in rows, each above its name; ``columns`` 0 makes a sheet of `SHAPE`."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from styleengine.pictures.picture import Picture

    width, height = cells[0][1].width, cells[0][1].height
    scale = max(1.0, max(width, height) / SIDE)
    gap, letters = round(GAP * scale), round(TEXT * scale)
    step = width + gap, height + gap + round(1.4 * letters)
    across = columns or max(1, round((SHAPE * len(cells) * step[1] / step[0]) ** 0.5))
    across = min(across, len(cells))
    size = across * step[0] + gap, -(-len(cells) // across) * step[1] + gap
    sheet = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(letters)
    for place, (name, picture) in enumerate(cells):
        left, top = gap + place % across * step[0], gap + place // across * step[1]
        sheet.paste(_on_paper(picture), (left, top))
        middle = left + width // 2, top + height + round(0.3 * letters)
        draw.text(middle, _fitting(name, draw, font, width), INK, font, anchor="ma")
    return Picture(np.asarray(sheet).astype(np.float32) / np.float32(255))


def _on_paper(picture: Picture) -> Image.Image:
    from PIL import Image

    from styleengine.pictures.picture import to_pixels

    whole = Image.fromarray(to_pixels(picture, "u8"))
    paper = Image.new("RGBA", whole.size, (*PAPER, 255))
    return Image.alpha_composite(paper, whole.convert("RGBA")).convert("RGB")


def _fitting(name: str, draw: Any, font: Any, width: int) -> str:
    """As much of the name as there is room for."""
    text = name
    while len(text) > 2 and draw.textlength(text, font) > width:
        text = f"{text[:-2]}…"
    return text
