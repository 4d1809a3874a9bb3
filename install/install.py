#!/usr/bin/env python3
"""Installs the filter Neural Style Transfer for GIMP 3 with its engine; removes them again.

Running it again repairs or updates; the downloaded network is kept. The work is done by the same
code as the dialog's set-up page, ``gimp_plugin/neural_style/setup``. Started by install.sh or
install.ps1, which look for a Python first.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the checkout stays as it is
CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import plugin_path  # noqa: E402, F401 (makes the plug-in's modules importable)
import profiles  # noqa: E402
from protocol import EngineError  # noqa: E402
from setup import flow, launcher, manifest, package, torch_build  # noqa: E402
from setup.places import default_home  # noqa: E402
from setup.python import venv_python  # noqa: E402
from setup.system import System  # noqa: E402
from setup.talk import Stopped  # noqa: E402
from setup.wish import Outcome, Wish  # noqa: E402
from terminal import Terminal, yes_or_no  # noqa: E402


def backend(text: str) -> str:
    """Checks ``--backend``."""
    if not torch_build.BACKENDS.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of auto, cpu, cuda, cu126, cu130, rocm6.4, xpu"
        )
    return text


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="install.sh", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add(
        "--prefix",
        type=Path,
        metavar="DIR",
        help="where the engine goes (default: your data folder)",
    )
    add(
        "--backend",
        type=backend,
        default="auto",
        metavar="NAME",
        help="PyTorch build: auto (default), cpu, cuda, or a name like cu126, rocm6.4, xpu",
    )
    add(
        "--use-python",
        type=Path,
        metavar="PYTHON",
        help="use the packages of this Python, which already has torch and the rest, "
        "instead of downloading them",
    )
    add(
        "--gimp-dir",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="install the filter into this GIMP profile (repeatable; default: every one found)",
    )
    add("--weights", type=Path, metavar="FILE", help="take the pretrained network from this file")
    fetch = parser.add_mutually_exclusive_group()
    fetch.add_argument("--fetch-weights", action="store_true", default=None, dest="fetch")
    fetch.add_argument("--no-fetch-weights", action="store_false", dest="fetch")
    add("--yes", action="store_true", help="ask nothing, and answer yes")
    add("--uninstall", action="store_true", help="remove the filter and the engine")
    keep = parser.add_mutually_exclusive_group()
    keep.add_argument("--keep-weights", action="store_true", default=None, dest="keep")
    keep.add_argument("--all", action="store_false", dest="keep", help="remove the network, too")
    add("--print-python", action="store_true", help="print where the engine's Python is, and stop")
    add("--version", action="version", version=package.of_checkout(CHECKOUT).version)
    return parser.parse_args(arguments)


def home_of(given: argparse.Namespace) -> Path:
    """The engine's home that is asked for."""
    prefix: Path = given.prefix or default_home(System.current())
    return prefix.expanduser().absolute()


def install(given: argparse.Namespace) -> None:
    """Installs, repairs or updates. Raises `EngineError`."""
    refuse_sudo(given)
    system, prefix = System.current(), home_of(given)
    what = package.of_checkout(CHECKOUT)
    wanted, remark = [d.expanduser().absolute() for d in given.gimp_dir], ""
    print(f"Neural Style Transfer {what.version} for GIMP 3, into {prefix}", flush=True)
    if not wanted:
        wanted, remark = profiles.wanted_profiles(system)
    wish = Wish(
        prefix,
        given.backend,
        profiles=tuple(wanted),
        use_python=given.use_python.absolute() if given.use_python else None,
        pythons=(Path(sys.executable),),
        weights=given.weights,
        fetch_weights=True if given.yes and given.fetch is None else given.fetch,
    )
    report(flow.set_up(what, wish, Terminal(), system), prefix, [remark, profiles.snap(system)])


def report(outcome: Outcome, prefix: Path, remarks: list[str]) -> None:
    """Says what has come of it."""
    for error in outcome.left_out:
        print(f"Left out: {error}")
    for text in filter(None, remarks):
        print(text)
    folders = outcome.folders
    print(f"\nDone. The filter is in {len(folders)} GIMP profile{'s' * (len(folders) != 1)}:")
    for path in folders:
        print(f"  {path}")
    print(f"Computes on: {outcome.device}{f' ({outcome.gpu})' if outcome.gpu else ''}")
    print(f"Features:    {outcome.features}")
    print(
        "In GIMP: Filters > Artistic > Neural Style Transfer. (Start GIMP again if it is running.)"
    )
    start = launcher.shown(prefix)
    print(f"On the command line: {start} run photo.jpg --style painting.jpg")


def refuse_sudo(given: argparse.Namespace) -> None:
    """Raises `EngineError` where the filter would be installed for the wrong user."""
    user = os.environ.get("SUDO_USER", "root")
    if user != "root" and not (given.prefix and given.gimp_dir):
        raise EngineError(
            "setup-permission",
            f"With sudo, the filter would be installed for root instead of {user}.",
            "Run the installer without sudo.",
        )


def uninstall(given: argparse.Namespace) -> None:
    """Removes everything that was installed; asks about the network. Raises `EngineError`."""
    prefix = home_of(given)
    keep = given.keep
    has_weights = manifest.has_weights(prefix)
    if keep is None:
        keep = not (has_weights and yes_or_no("Remove the downloaded network as well?", False))
    flow.remove(prefix, Terminal(), keep_weights=keep)
    print(f"Neural Style Transfer is removed from {prefix} and from GIMP.")
    if keep and has_weights:
        print(f"The network stays in {prefix / manifest.WEIGHTS}; --uninstall --all removes it.")


def print_python(given: argparse.Namespace) -> None:
    """The interpreter of the installed engine. Raises `EngineError` if there is none."""
    prefix = home_of(given)
    record = manifest.read(prefix)
    if not record or not record.engine:
        text = f"Nothing is installed in {prefix}."
        raise EngineError("setup-failed", text, "Run install/install.sh first.")
    print(venv_python(prefix / record.engine))


def main(arguments: list[str]) -> int:
    """Runs the installer; returns the exit status."""
    given = parse(arguments)
    work = print_python if given.print_python else uninstall if given.uninstall else install
    try:
        work(given)
    except EngineError as error:
        print(f"\nError: {error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        if error.code == "setup-disk":
            print("Another disk can be chosen with --prefix DIR.", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Stopped):
        print("\nStopped. Run the installer again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    # Umlauts and dashes, whatever the terminal says it can show.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
    sys.exit(main(sys.argv[1:]))
