"""The command ``styleengine``: run · sheet · serve · weights · doctor · plugins."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar

from styleengine import __version__
from styleengine.command.run import is_many
from styleengine.command.run_options import add_run
from styleengine.command.sheet import add_sheet
from styleengine.command.terminal import OutputGone, close_output, console, say, tell
from styleengine.machine import allocator
from styleengine.machine.failures import broken_install, out_of_memory
from styleengine.machine.files import cannot_write
from styleengine.machine.openmp import wait_briefly
from styleengine.protocol import EngineError, failed
from styleengine.together import launch

if TYPE_CHECKING:
    from collections.abc import Sequence


SHARED = ("run", "serve")
"""Commands that several processes can share."""
TOLD_S = 2.0
"""How long the first of several processes may take to tell what ends them all."""
PIPE_CLOSED = 141
"""The exit status that a shell gives to a program ended by SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0, 1 after an error, 2 for wrong usage."""
    wait_briefly()
    if launch.is_several():  # it lists its own calls whenever a process has gone
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    allocator.keep_freed_memory()
    try:
        top = parser()
        args = top.parse_args(arguments)
        if args.command == "run" and not args.style and not args.like:
            top.error("run wants a --style, or a picture --like which to paint")
    except SystemExit:
        with contextlib.suppress(OutputGone):
            close_output()
        raise
    if args.command != "serve":
        logging.basicConfig(
            level=logging.WARNING,
            format="%(message)s",
            handlers=[RichHandler(console=console, show_time=False, show_path=False)],
        )
    try:
        if launch.is_several() and not (args.command == "run" and is_many(args)):
            if not launch.is_first():
                return _followed(args.command)
            if args.command in SHARED:
                launch.join()
        status = int(args.function(args) or 0)
        launch.dismiss()
        return status
    except EngineError as error:
        if error.code != launch.LOST:
            launch.dismiss()
        return _refused(error)
    except OutputGone as gone:
        if gone.reader_left:
            return PIPE_CLOSED
        return _refused(cannot_write(Path("standard output"), gone.error))
    except ImportError as error:
        return _refused(broken_install(error))
    except MemoryError:
        return _refused(out_of_memory())
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # torchrun passes on what came here already
        if launch.is_first():
            console.print("Stopped.")
        if launch.group().busy:
            launch.group().tells()  # the others need not
        launch.dismiss()
        return 130


def _followed(command: str) -> int:
    """Takes part in what the first of torchrun's processes does; returns the exit status."""
    if command not in SHARED:
        return 0
    group = launch.join()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first one stops, and all with it
    from styleengine.engine import Engine

    try:
        Engine().follow()
        group.leave()
        return 0
    except EngineError as error:
        if command == "serve" and error.code == launch.LOST and not group.busy:
            return 0
        return _refused(error)


def _refused(error: EngineError) -> int:
    if launch.tells(error):
        tell(error)
    elif launch.group().size == 1:  # the first is still to tell, and is ended when this one has
        time.sleep(TOLD_S)
    return 1


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="styleengine", description="Repaints a picture in the style of another one."
    )
    top.add_argument("--version", action="version", version=f"styleengine {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    add_run(commands)

    add_sheet(commands)

    serve = commands.add_parser("serve", help="serve an image editor over stdin and stdout")
    serve.set_defaults(function=serve_command)

    store = commands.add_parser("weights", help="the network's pretrained weights")
    actions = store.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("status", help="which weights are in use")
    fetch = actions.add_parser("fetch", help="download pretrained weights")
    fetch.add_argument(
        "--source",
        default="keras",
        choices=("keras", "torchvision"),
        help="keras: the Oxford weights, 80 MB (default); torchvision: 548 MB",
    )
    fetch.add_argument("--url", help="a mirror of the source's file")
    importing = actions.add_parser("import", help="take weights from a file")
    importing.add_argument("file", metavar="FILE", help=".h5 (Keras), .safetensors or .pth")
    importing.add_argument(
        "--convention",
        default="auto",
        choices=("auto", "caffe", "torchvision"),
        help="the input the file was trained for, if it cannot be told from the file",
    )
    for action in (fetch, importing):
        action.add_argument(
            "--progress",
            default="bar",
            choices=("bar", "json"),
            help="bar (default), or json, for programs: lines {done, total} in bytes, or why not",
        )
    store.set_defaults(function=weights_command)

    doctor = commands.add_parser("doctor", help="check the installation")
    doctor.set_defaults(function=doctor_command)
    plugins = commands.add_parser("plugins", help="list plug-ins and what they add")
    plugins.set_defaults(function=plugins_command)
    return top


def serve_command(args: argparse.Namespace) -> None:
    """Serves on stdin and stdout."""
    from styleengine.serving import server

    server.main()


def weights_command(args: argparse.Namespace) -> int:
    """Shows, downloads or imports weights."""
    from styleengine.weights import store

    if args.action != "status" and args.progress == "json":
        try:
            if args.action == "fetch":
                store.fetch(args.source, url=args.url, progress=_tell_progress)
            else:
                store.import_file(args.file, args.convention)
        except EngineError as error:
            say(json.dumps(failed(error)))
            raise
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
            store.fetch(
                args.source,
                url=args.url,
                progress=lambda done, total: bar.update(task, completed=done, total=total or None),
            )
    elif args.action == "import":
        store.import_file(args.file, args.convention)
    status = store.status()
    say(f"Weights in use: {status.source}")
    say(f"From: {status.path or 'the package itself'} ({status.origin})")
    say(f"Licence: {status.licence}")
    if status.problem:
        say(f"Problem: {status.problem}")
    if status.name == "draft":
        say("`styleengine weights fetch` downloads the pretrained VGG19 (80 MB).")
    return 1 if status.problem else 0


def _tell_progress(done: int, total: int) -> None:
    say(json.dumps({"done": done, "total": total}))


def doctor_command(args: argparse.Namespace) -> int:
    """Checks the installation; 1 if something is wrong."""
    from styleengine.command.doctor import examine

    findings = examine()
    for finding in findings:
        say(f"{'ok ' if finding.ok else 'BAD'}  {finding.name}: {finding.text}")
    return 0 if all(f.ok for f in findings) else 1


def plugins_command(args: argparse.Namespace) -> int:
    """Lists plug-ins and everything that can be chosen by name."""
    from styleengine.plugins.registry import load_plugins

    plugins = load_plugins()
    for name, origin in plugins.loaded.items():
        say(f"{name} ({origin})")
    for name, problem in plugins.broken.items():
        say(f"{name} is broken: {problem}")
    for kind, entries in plugins.capabilities().items():
        say(f"\n{kind.replace('_', ' ')}:")
        for name, label in entries.items():
            say(f"  {name:16}{label}")
    return 1 if plugins.broken else 0


if __name__ == "__main__":
    sys.exit(main())
