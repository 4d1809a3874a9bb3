"""``styleengine run``: one picture from files to a file."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from styleengine.command.places import (
    default_output,
    require_text_place,
    rescued,
    save_new,
    write_text,
)
from styleengine.command.terminal import console
from styleengine.protocol import EngineError, Progress, Settings

if TYPE_CHECKING:
    from styleengine.jobs import Job, Preview, Result
    from styleengine.pictures.files import Picture


def run_command(args: argparse.Namespace) -> int:
    """Repaints PHOTO in the style of PAINTING. Ctrl-C stops and keeps what there is."""
    from styleengine.pictures.files import require_writable

    settings = Settings(**{f.name: getattr(args, f.name) for f in dataclasses.fields(Settings)})
    photo = Path(args.content)
    output = Path(args.output) if args.output else default_output(photo)
    require_writable(output)
    if args.trace:
        require_text_place(Path(args.trace))
    job = _job(args, settings)
    require_writable(output, (job.content.width, job.content.height))
    trace: list[dict[str, Any]] = []
    started = time.monotonic()

    def note(event: Progress) -> None:
        trace.append({**dataclasses.asdict(event), "seconds": time.monotonic() - started})

    def keep(preview: Preview) -> None:
        name = output.with_name(f"{output.stem}-{preview.step:05d}{output.suffix}")
        save_new(name, preview.picture)

    result = _paint(job, args.quiet, note, keep)
    picture = result.picture
    if args.depth:
        picture = dataclasses.replace(picture, depth=args.depth)
    output = _keep(output, picture, named=bool(args.output))
    if args.trace:
        about = {"features": result.features, "device": result.device, "seconds": result.seconds}
        text = json.dumps({**about, "settings": settings.to_dict(), "steps": trace}, indent=1)
        write_text(Path(args.trace), text)
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


def _keep(output: Path, picture: Picture, *, named: bool) -> Path:
    """Saves the result before anything else can go wrong; returns where it is."""
    from styleengine.pictures.files import save

    try:
        if not named:
            return save_new(output, picture)
        save(output, picture)
    except EngineError as error:
        raise rescued(picture, error) from error
    return output


def _job(args: argparse.Namespace, settings: Settings) -> Job:
    from styleengine.jobs import Job, Style
    from styleengine.pictures.files import STYLE_PIXELS, as_mask, load

    shares = args.style_weight or [1.0] * len(args.style)
    if len(shares) != len(args.style):
        raise EngineError(
            "bad-setting",
            "There are {styles} styles but {weights} style weights.",
            "Give --style-weight once per --style, or not at all.",
            styles=len(args.style),
            weights=len(shares),
        )
    if args.save_every is not None and args.save_every < 1:
        raise EngineError("bad-setting", "--save-every must be at least 1.")
    masks = args.style_mask or ["-"] * len(args.style)
    if len(masks) != len(args.style):
        raise EngineError(
            "bad-setting",
            "There are {styles} styles but {masks} style masks.",
            "Give --style-mask once per --style (- for none), or not at all.",
            styles=len(args.style),
            masks=len(masks),
        )
    content = load(args.content)
    styles = tuple(
        Style(load(style, STYLE_PIXELS), share, None if mask == "-" else as_mask(load(mask)))
        for style, share, mask in zip(args.style, shares, masks, strict=True)
    )
    long_side = max(content.width, content.height) if args.save_every else 0
    hold = as_mask(load(args.hold)) if args.hold else None
    return Job(content, styles, settings, long_side, args.save_every, args.weights, hold=hold)


def _paint(
    job: Job, quiet: bool, note: Callable[[Progress], None], keep: Callable[[Preview], None]
) -> Result:
    from styleengine.engine import Engine
    from styleengine.jobs import Preview, Result

    interrupted: list[bool] = []
    engine = Engine()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    bar = Bar(*columns, console=console, transient=True, disable=quiet)
    with bar, _interrupt(interrupted):
        task = bar.add_task("Preparing", total=None, left="")
        for event in engine.run(job, lambda: bool(interrupted)):
            if isinstance(event, Progress):
                note(event)
                bar.update(task, **_shown(event))
            elif isinstance(event, Preview):
                keep(event)
            else:
                assert isinstance(event, Result)
                return event
    raise AssertionError("a run ends with a result or an error")


class _interrupt:
    """Turns the first Ctrl-C into an entry in a list, and lets the second one through."""

    def __init__(self, noted: list[bool]) -> None:
        self._noted = noted

    def __enter__(self) -> None:
        import signal

        self._before = signal.signal(signal.SIGINT, self._handle)

    def __exit__(self, *_: object) -> None:
        import signal

        signal.signal(signal.SIGINT, self._before)

    def _handle(self, *_: object) -> None:
        if self._noted:
            raise KeyboardInterrupt
        self._noted.append(True)


def _shown(event: Progress) -> dict[str, Any]:
    if event.stage != "paint":
        label = "Finishing" if event.stage == "finish" else "Preparing"
        return {"description": label, "left": ""}
    about = [] if event.eta_s is None else [f"{time_left(event.eta_s)} left"]
    if event.memory is not None:
        about.append(f"{event.memory / 1e9:.1f} GB")
    return {
        "description": f"Painting {event.width}×{event.height}",
        "completed": event.step,
        "total": event.steps,
        "left": ", ".join(about),
    }


def time_left(seconds: float) -> str:
    """ "45 s", "3 min 20 s"."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
