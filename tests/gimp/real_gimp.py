"""A real GIMP in a disposable root, with a profile of its own."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
GIMP_ROOT = REPO / "install" / "gimp_root.sh"
ROOTS = [path for path in os.environ.get("NEURAL_STYLE_GIMP_ROOTS", "").split(":") if path]
FAKE = REPO / "tests" / "fake_engine.py"
DEADLINE_S = 900


def reason_to_skip() -> str:
    """Why no GIMP can be run here, or ''."""
    if not ROOTS:
        return "NEURAL_STYLE_GIMP_ROOTS names no root with GIMP 3 (see install/gimp_root.sh)"
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return "running GIMP in a root needs Linux, root's rights and unshare"
    return ""


def engine_command() -> list[str]:
    """The real engine as the installer writes it; from the checkout if it is not installed."""
    python = [sys.executable, "-I", "-u", "-X", "utf8"]
    if subprocess.run([*python, "-c", "import styleengine"], capture_output=True).returncode == 0:
        return [*python, "-m", "styleengine", "serve"]
    run = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv.pop(0); "
    run += "runpy.run_module('styleengine', run_name='__main__', alter_sys=True)"
    return [*python, "-c", run, str(REPO), "styleengine", "serve"]


def interpreter() -> set[Path]:
    """What this Python needs to run in a root. Of the system's, not all of /usr: GIMP is there."""
    if sys.base_prefix != "/usr":
        return {Path(sys.base_prefix)}
    return {Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))}


def base_python() -> set[Path]:
    """What a root needs of the Python that the test environment was made from."""
    if sys.base_prefix not in ("/", "/usr"):
        return {Path(sys.base_prefix)}
    # The system's: only its own files, because the root has a /usr of its own.
    return {Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))}


class Gimp:
    """One GIMP version, with the plug-in installed in a profile below ``work``."""

    def __init__(self, root: Path, work: Path) -> None:
        self.root, self.work = root, work
        self.profile = work / "profile"
        self.home = work / "home"
        self.plugin = self.profile / "plug-ins" / "neural_style"
        found = subprocess.run(
            ["chroot", root, "gimp-console", "--version"],
            capture_output=True,
            text=True,
            check=True,
        )
        self.version = found.stdout.split()[-1]
        shutil.copytree(
            REPO / "gimp_plugin" / "neural_style",
            self.plugin,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        shutil.copy(REPO / "styleengine" / "protocol.py", self.plugin)
        self.home.mkdir()
        (self.profile / "gimprc").write_text(
            f'(config-version "{self.version}")\n(show-welcome-dialog no)\n(check-updates no)\n'
            "(color-profile-policy keep)\n(metadata-rotation-policy keep)\n(save-session-info no)\n"
        )

    def use_engine(self, command: list[str]) -> None:
        """Makes ``command`` the engine that the plug-in starts."""
        record = {"command": [str(word) for word in command], "protocol": 1, "prefix": sys.prefix}
        (self.plugin / "engine.json").write_text(json.dumps(record))

    def command(self, *words: object) -> list[str]:
        """The command line that runs ``words`` in the root."""
        binds = {REPO, self.work, Path(sys.prefix), *interpreter()}
        options = [option for path in sorted(binds) for option in ("--bind", str(path))]
        environment = {
            "GIMP3_DIRECTORY": self.profile,
            "HOME": self.home,
            "STYLEENGINE_HOME": self.home / "engine",
        }
        if "OMP_NUM_THREADS" in os.environ:  # beside another GIMP there are fewer for this one
            environment["OMP_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"]
        for name, value in environment.items():
            options += ["--env", f"{name}={value}"]
        return [str(GIMP_ROOT), "run", str(self.root), *options, "--", *map(str, words)]

    def run(self, *words: object, patience: float = DEADLINE_S) -> subprocess.CompletedProcess[str]:
        """Runs ``words`` in the root and waits for the end, for so many seconds."""
        command = self.command(*words)
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=patience
        )

    def script_fu(self, source: str) -> subprocess.CompletedProcess[str]:
        """Runs Script-Fu in gimp-console; its exit status tells whether that succeeded."""
        return self.run(
            "gimp-console", "-i", "--batch-interpreter=plug-in-script-fu-eval",
            "-b", source, "--quit",
        )  # fmt: skip

    def python_cases(self, script: Path, **context: object) -> dict[str, str]:
        """Runs the functions ``case_…`` of a script within GIMP; their tracebacks, "" if none.

        The script finds ``context`` in its global CONTEXT. A case that took GIMP down with it, and
        all that come after, are missing from the answer.
        """
        folder = self.work / script.stem
        folder.mkdir()
        # What another test has made GIMP remember.
        shutil.rmtree(self.profile / "plug-in-settings", ignore_errors=True)
        context = {**context, "folder": str(folder), "plugin": str(self.plugin)}
        (folder / "context.json").write_text(json.dumps(context, default=str))
        starter = (
            f"import sys, json; sys.path.insert(0, {str(HERE)!r}); "
            f"CONTEXT = json.load(open({str(folder / 'context.json')!r})); "
            f"exec(compile(open({str(script)!r}).read(), {str(script)!r}, 'exec')); run_cases()"
        )
        done = self.run(
            "gimp-console", "-i", "--batch-interpreter=python-fu-eval", "-b", starter, "--quit"
        )
        (folder / "console.txt").write_text(done.stdout + done.stderr)
        results = folder / "results.jsonl"
        lines = results.read_text().splitlines() if results.exists() else []
        answers = dict(json.loads(line) for line in lines)
        answers["console"] = (done.stdout + done.stderr)[-4000:]
        return answers


def case_names(script: Path, prefix: str = "case_") -> list[str]:
    """The names of the functions ``case_…`` of a script that only runs beside GIMP."""
    body = ast.parse(script.read_text(encoding="utf-8")).body
    return [f.name for f in body if isinstance(f, ast.FunctionDef) and f.name.startswith(prefix)]
