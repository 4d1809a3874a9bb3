"""The README tells the truth about options, hooks and files."""

import ast
import dataclasses
import inspect
import re
from pathlib import Path

from styleengine.plugins import hookspecs
from styleengine.protocol import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def options_table() -> str:
    """The README's table of options, as the fields of `Settings` have it."""
    rows = ["| Option | `--option` | Default | What it does |", "| --- | --- | --- | --- |"]
    for field in dataclasses.fields(Settings):
        meta = field.metadata
        text = meta["help"]
        if meta["low"] is not None:
            unit = f" {meta['unit']}" if meta["unit"] else ""
            text += f" ({meta['low']:g}–{meta['high']:,.10g}{unit})"
        if meta["choices"]:
            text += " `" + "` · `".join(meta["choices"]) + "`"
        default = f"{field.default:g}" if isinstance(field.default, float) else field.default
        name = field.name.replace("_", "-")
        rows.append(
            f"| {meta['label']} | `--{name}` | {default if default != '' else '–'} | {text} |"
        )
    return "\n".join(rows)


def test_the_table_of_options_is_that_of_the_settings() -> None:
    found = re.search(r"<!-- options -->\n(.*?)\n<!-- /options -->", README, re.DOTALL)
    assert found
    assert found[1] == options_table()


def test_every_hook_is_described_with_its_arguments() -> None:
    hooks = [f for f in vars(hookspecs).values() if hasattr(f, "styleengine_spec")]
    assert len(hooks) == 4
    for hook in hooks:
        arguments = ", ".join(inspect.signature(hook).parameters)
        assert f"`{hook.__name__}({arguments})`" in README


def test_the_pythons_in_the_readme_run_on_names_that_exist() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = __import__(node.module, fromlist=["_"])
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


def test_every_file_the_readme_shows_or_names_is_there() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    commands = re.findall(r"\./(install/[\w.]+)", README)
    assert pictures and commands
    for name in {*pictures, *commands}:
        assert (ROOT / name).is_file(), name
