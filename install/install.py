#!/usr/bin/env python3
"""Installs the filter Neural Style Transfer for GIMP 3 with its engine; removes them again.

Running it again repairs or upgrades; the downloaded network is kept. Artists start it through
install.sh or install.ps1, which look for a Python first.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the checkout stays as it is

from installer import flow  # noqa: E402
from installer.base import InstallError, version  # noqa: E402
from installer.environment import BACKENDS  # noqa: E402


def backend(text: str) -> str:
    """Checks ``--backend``."""
    if not BACKENDS.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of auto, cpu, cuda, cu126, cu130, rocm6.4, xpu"
        )
    return text


def parse(arguments: list[str]) -> tuple[argparse.Namespace, flow.Options]:
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
    add("--version", action="version", version=version())
    found = parser.parse_args(arguments)
    return found, flow.Options(
        prefix=found.prefix,
        backend=found.backend,
        use_python=found.use_python.absolute() if found.use_python else None,
        gimp_dirs=tuple(found.gimp_dir),
        weights=found.weights,
        fetch_weights=found.fetch,
        yes=found.yes,
        keep_weights=found.keep,
    )


def main(arguments: list[str]) -> int:
    """Runs the installer; returns the exit status."""
    try:
        found, options = parse(arguments)
        if found.print_python:
            print(flow.engine_python(options))
        else:
            (flow.uninstall if found.uninstall else flow.install)(options)
    except InstallError as error:
        print(f"\nError: {error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the installer again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    # Umlauts and dashes, whatever the terminal says it can show.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
    sys.exit(main(sys.argv[1:]))
