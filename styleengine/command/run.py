"""``styleengine run``: pictures from files to files."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from styleengine.command.asked import asked, files_read
from styleengine.command.many import paint_many
from styleengine.command.photos import SEPARATORS, Photos, named
from styleengine.command.places import (
    default_output,
    numbered,
    require_apart,
    require_other,
    require_text_place,
    save_new,
    save_result,
    write_text,
)
from styleengine.command.terminal import console
from styleengine.command.watching import Watch
from styleengine.protocol import Progress
from styleengine.together import launch

if TYPE_CHECKING:
    from styleengine.jobs import Preview


def run_command(args: argparse.Namespace) -> int:
    """Repaints every PHOTO in the style of PAINTING.

    Of one photo, Ctrl-C stops and keeps what there is. Several go into a folder under their own
    names; what is there already is left, so that after Ctrl-C, or anything else, the same command
    goes on.
    """
    photos = named(args.content)
    if is_many(args, photos):
        return paint_many(args, photos.files, args.output)
    return _paint_one(args, photos.files[0], args.output)


def is_many(args: argparse.Namespace, photos: Photos | None = None) -> bool:
    """Whether photos are painted into a folder, each by itself; raises `EngineError`.

    ``photos`` are those that ``args`` name, if that is known already.
    """
    output = args.output
    folder = output is not None and (output.endswith(SEPARATORS) or os.path.isdir(output))
    return folder or (photos or named(args.content)).several


def _paint_one(args: argparse.Namespace, photo: Path, wanted: str | None) -> int:
    from styleengine.engine import Engine
    from styleengine.pictures.files import load, require_writable

    output = Path(wanted) if wanted else default_output(photo)
    for place in (output, *map(Path, filter(None, [args.trace]))):
        require_other(place, files_read(args, [photo]))
    require_writable(output)
    if args.trace:
        require_apart(output, Path(args.trace))
        require_text_place(Path(args.trace))
    ask = asked(args, [photo])
    content = load(photo, keep=True)
    require_writable(output, (content.width, content.height))
    trace: list[dict[str, Any]] = []
    started = time.monotonic()

    def note(event: Progress) -> None:
        again = trace and event.step == trace[-1]["step"]  # as after each tile
        if not (again and event.stage == "paint"):
            trace.append({**dataclasses.asdict(event), "seconds": time.monotonic() - started})

    def keep(preview: Preview) -> None:
        save_new(numbered(output, preview.step), preview.picture)

    with Watch(args.quiet) as watch:
        result = watch.paint(Engine(), ask.job(content), note=note, keep=keep)
    launch.dismiss()  # the others are not missed while this one saves
    picture = ask.told(result.picture)
    output = save_result(output, picture, named=bool(wanted))
    if args.trace:
        about = {"features": result.features, "device": result.device, "seconds": result.seconds}
        whole = {**about, "settings": ask.settings.to_dict(), "steps": trace}
        write_text(Path(args.trace), json.dumps(whole, indent=1))
    if not args.quiet:
        for line in result.notes:
            console.print(f"Note: {line}", soft_wrap=True)
        stopped = " (stopped early)" if result.stopped else ""
        console.print(
            f"{output}: {picture.width} × {picture.height} px in {result.seconds:.1f} s{stopped}\n"
            f"Features: {result.features}\nDevice: {result.device}",
            soft_wrap=True,
        )
    return 0
