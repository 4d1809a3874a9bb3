"""The command ``styleengine``: run · serve · weights · doctor · plugins."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from styleengine import __version__, allocator
from styleengine.failures import broken_install, out_of_memory
from styleengine.protocol import EngineError, Progress, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from styleengine.jobs import Job, Preview, Result

console = Console(stderr=True, highlight=False, markup=False, emoji=False)
"""Prints texts as they are: file names may contain what Rich takes for markup."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0, 1 after an error, 2 for wrong usage."""
    # Idle threads of torch would otherwise spin, which starves them and the image editor whenever
    # anything else computes: beside two busy processes a run took twice as long. OpenMP reads this
    # when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    allocator.keep_freed_memory()
    args = parser().parse_args(arguments)
    if args.command != "serve":
        logging.basicConfig(
            level=logging.WARNING,
            format="%(message)s",
            handlers=[RichHandler(console=console, show_time=False, show_path=False)],
        )
    try:
        return int(args.function(args) or 0)
    except EngineError as error:
        return _refused(error)
    except ImportError as error:
        return _refused(broken_install(error))
    except MemoryError:
        return _refused(out_of_memory())
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130


def _refused(error: EngineError) -> int:
    console.print(Text.assemble(("Error:", "red"), f" {error.message}"), soft_wrap=True)
    if error.hint:
        console.print(error.hint, soft_wrap=True)
    return 1


def parser() -> argparse.ArgumentParser:
    """The command line, with one option per field of `Settings`."""
    top = argparse.ArgumentParser(
        prog="styleengine", description="Repaints a picture in the style of another one."
    )
    top.add_argument("--version", action="version", version=f"styleengine {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="repaint a picture", description=run_command.__doc__)
    run.add_argument("content", metavar="PHOTO", help="the picture to repaint")
    run.add_argument(
        "--style",
        action="append",
        required=True,
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
        "-o", "--output", metavar="FILE", help="PNG, TIFF, JPEG or WebP (default: PHOTO-styled.png)"
    )
    run.add_argument(
        "--depth",
        type=int,
        choices=(8, 16),
        help="bits per sample of the result (default: PHOTO's)",
    )
    run.add_argument("--weights", metavar="FILE", help="VGG19 weights (.h5, .safetensors, .pth)")
    run.add_argument(
        "--save-every", type=int, metavar="N", help="also save the picture every N steps, numbered"
    )
    run.add_argument("--trace", metavar="FILE", help="write every step's loss and time as JSON")
    run.add_argument("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    options = run.add_argument_group("settings")
    for field in dataclasses.fields(Settings):
        _add_option(options, field)
    run.set_defaults(function=run_command)

    serve = commands.add_parser("serve", help="serve an image editor over stdin and stdout")
    serve.set_defaults(function=serve_command)

    weights = commands.add_parser("weights", help="the network's pretrained weights")
    actions = weights.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("status", help="which weights are in use")
    fetch = actions.add_parser("fetch", help="download pretrained weights")
    fetch.add_argument(
        "--source",
        default="keras",
        choices=("keras", "torchvision"),
        help="keras: the Oxford weights, 80 MB (default); torchvision: 548 MB",
    )
    fetch.add_argument("--url", help="a mirror of the source's file")
    fetch.add_argument(
        "--progress",
        default="bar",
        choices=("bar", "json"),
        help="bar (default), or json: a line {done, total} in bytes on stdout, for programs",
    )
    importing = actions.add_parser("import", help="take weights from a file")
    importing.add_argument("file", metavar="FILE", help=".h5 (Keras), .safetensors or .pth")
    importing.add_argument(
        "--convention",
        default="auto",
        choices=("auto", "caffe", "torchvision"),
        help="the input the file was trained for, if it cannot be told from the file",
    )
    weights.set_defaults(function=weights_command)

    doctor = commands.add_parser("doctor", help="check the installation")
    doctor.set_defaults(function=doctor_command)
    plugins = commands.add_parser("plugins", help="list plug-ins and what they add")
    plugins.set_defaults(function=plugins_command)
    return top


def _add_option(group: Any, field: dataclasses.Field[Any]) -> None:
    meta = field.metadata
    bounds = "" if meta["low"] is None else f" ({meta['low']:g} to {meta['high']:g}{meta['unit']})"
    group.add_argument(
        "--" + field.name.replace("_", "-"),
        dest=field.name,
        type=type(field.default),
        default=field.default,
        choices=meta["choices"] and list(meta["choices"]),
        metavar=None if meta["choices"] else "TEXT" if field.type == "str" else "N",
        help=f"{meta['help']}{bounds} [{field.default!s}]".replace("%", "%%"),
    )


# --- run ------------------------------------------------------------------------------------------


def run_command(args: argparse.Namespace) -> int:
    """Repaints PHOTO in the style of PAINTING. Ctrl-C stops and keeps what there is."""
    from styleengine.images import require_writable, save

    settings = Settings(**{f.name: getattr(args, f.name) for f in dataclasses.fields(Settings)})
    photo = Path(args.content)
    output = Path(args.output) if args.output else photo.parent / f"{photo.stem}-styled.png"
    require_writable(output)
    job = _job(args, settings)
    trace: list[dict[str, Any]] = []
    started = time.monotonic()

    def note(event: Progress) -> None:
        trace.append({**dataclasses.asdict(event), "seconds": time.monotonic() - started})

    def keep(preview: Preview) -> None:
        save(output.with_name(f"{output.stem}-{preview.step:05d}{output.suffix}"), preview.picture)

    result = _paint(job, args.quiet, note, keep)
    picture = result.picture
    if args.depth:
        picture = dataclasses.replace(picture, depth=args.depth)
    save(output, picture)
    if args.trace:
        about = {"features": result.features, "device": result.device, "seconds": result.seconds}
        text = json.dumps({**about, "settings": settings.to_dict(), "steps": trace}, indent=1)
        _write_text(Path(args.trace), text)
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


def _job(args: argparse.Namespace, settings: Settings) -> Job:
    from styleengine.images import as_mask, load
    from styleengine.jobs import Job, Style

    shares = args.style_weight or [1.0] * len(args.style)
    if len(shares) != len(args.style):
        raise EngineError(
            "bad-setting",
            f"There are {len(args.style)} styles but {len(shares)} style weights.",
            "Give --style-weight once per --style, or not at all.",
        )
    if args.save_every is not None and args.save_every < 1:
        raise EngineError("bad-setting", "--save-every must be at least 1.")
    masks = args.style_mask or ["-"] * len(args.style)
    if len(masks) != len(args.style):
        raise EngineError(
            "bad-setting",
            f"There are {len(args.style)} styles but {len(masks)} style masks.",
            "Give --style-mask once per --style (- for none), or not at all.",
        )
    content = load(args.content)
    styles = tuple(
        Style(load(style), share, None if mask == "-" else as_mask(load(mask)))
        for style, share, mask in zip(args.style, shares, masks, strict=True)
    )
    long_side = max(content.width, content.height) if args.save_every else 0
    return Job(content, styles, settings, long_side, args.save_every, args.weights)


def _paint(job: Job, quiet: bool, note: Any, keep: Any) -> Result:
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


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EngineError("cannot-write", f"{path} cannot be written: {error.strerror}.") from error


# --- the other commands ---------------------------------------------------------------------------


def serve_command(args: argparse.Namespace) -> None:
    """Serves on stdin and stdout."""
    from styleengine import server

    server.main()


def weights_command(args: argparse.Namespace) -> int:
    """Shows, downloads or imports weights."""
    from styleengine import weights

    if args.action == "fetch" and args.progress == "json":
        weights.fetch(args.source, url=args.url, progress=_tell_progress)
    elif args.action == "fetch":
        columns = (
            TextColumn("Downloading"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Bar(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=None)
            weights.fetch(
                args.source,
                url=args.url,
                progress=lambda done, total: bar.update(task, completed=done, total=total or None),
            )
    elif args.action == "import":
        weights.import_file(args.file, args.convention)
    status = weights.status()
    print(f"Weights in use: {status.source}")
    print(f"From: {status.path or 'the package itself'} ({status.origin})")
    print(f"Licence: {status.licence}")
    if status.problem:
        print(f"Problem: {status.problem}")
    if status.name == "draft":
        print("`styleengine weights fetch` downloads the pretrained VGG19 (80 MB).")
    return 1 if status.problem else 0


def _tell_progress(done: int, total: int) -> None:
    print(json.dumps({"done": done, "total": total}), flush=True)


def doctor_command(args: argparse.Namespace) -> int:
    """Checks the installation; 1 if something is wrong."""
    from styleengine.doctor import examine

    findings = examine()
    for finding in findings:
        print(f"{'ok ' if finding.ok else 'BAD'}  {finding.name}: {finding.text}")
    return 0 if all(f.ok for f in findings) else 1


def plugins_command(args: argparse.Namespace) -> int:
    """Lists plug-ins and everything that can be chosen by name."""
    from styleengine.plugins import load_plugins

    plugins = load_plugins()
    for name, origin in plugins.loaded.items():
        print(f"{name} ({origin})")
    for name, problem in plugins.broken.items():
        print(f"{name} is broken: {problem}")
    for kind, entries in plugins.capabilities().items():
        print(f"\n{kind.replace('_', ' ')}:")
        for name, label in entries.items():
            print(f"  {name:16}{label}")
    return 1 if plugins.broken else 0


if __name__ == "__main__":
    sys.exit(main())
