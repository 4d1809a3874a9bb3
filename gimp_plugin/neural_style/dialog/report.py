"""What a helper needs to know, without what is nobody's business. Knows nothing of GIMP."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOG_LINES = 40
LOG_BYTES = 32 << 10


def last_lines(log: Path) -> str:
    """The end of a log file; empty if there is none."""
    try:
        with open(log, "rb") as stream:
            end = stream.seek(0, 2)
            stream.seek(max(0, end - LOG_BYTES))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-LOG_LINES:])


def without_person(text: str, environment: Mapping[str, str]) -> str:
    """The text without the user's home folder and name."""
    homes = {environment.get(name, "") for name in ("HOME", "USERPROFILE")} | {str(Path.home())}
    for home in sorted((h for h in homes if len(h) > 1), key=len, reverse=True):
        for form in (home, home.replace("\\", "\\\\"), home.replace("\\", "/")):
            text = text.replace(form, "~")
    names = {environment.get(name, "") for name in ("USER", "LOGNAME", "USERNAME")}
    for name in names - {"", "root"}:
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "user", text)
    return text


def compose(
    problem: str,
    versions: Mapping[str, str],
    ready: Mapping[str, Any],
    settings: Mapping[str, Any],
    log: Path,
    environment: Mapping[str, str],
) -> str:
    """The report: what happened, versions, devices, settings, and the end of the log."""
    about = {
        **versions,
        "Engine": str(ready.get("version", "not started")),
        "Devices": json.dumps(ready.get("devices", {}), ensure_ascii=False),
        "Features": str(ready.get("features", "")),
        "Python": platform.python_version(),
        "System": platform.platform(),
        "Settings": json.dumps(settings, ensure_ascii=False),
    }
    lines = [f"Problem: {problem}", *(f"{key}: {value}" for key, value in about.items())]
    text = "\n".join([*lines, "", "Log:", last_lines(log)])
    return without_person(text, environment)
