"""What the benchmarks share in their way of reporting: tables, JSON, and a sentence for errors."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from styleengine.protocol import EngineError


def ending(command: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Runs ``command``; its exit status: 1, and the sentence for the user, after an error."""
    try:
        command(options)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def say(text: str) -> None:
    """One line on what is going on, apart from the results."""
    print(text, file=sys.stderr, flush=True)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under their titles: the first column to the left, the others to the right."""
    cells = [list(titles), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(titles))]
    lines = []
    for row in cells:
        rest = [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *rest]).rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def new_file(text: str) -> Path:
    """For argparse: a file to write later, so that a long run does not fail at its end."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder for {text!r}")
    return path


def write_json(path: Path | None, data: dict[str, Any]) -> None:
    """Writes ``data``, if a file was asked for; what is not a finite number becomes null."""
    if path is not None:
        text = json.dumps(_finite(data), indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
