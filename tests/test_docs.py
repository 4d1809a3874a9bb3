"""The README and the documents tell the truth about options, hooks, files and lengths."""

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest

from styleengine.plugins import hookspecs
from styleengine.protocol import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXTENDING = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


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
        assert f"`{hook.__name__}({arguments})`" in EXTENDING


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_pythons_of_a_page_run_on_names_that_exist(page) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                assert not node.module.startswith("styleengine."), f"{node.module} is private"
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_that_a_page_shows_or_names_is_there(page) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    for name in re.findall(r"\./(install/[\w.]+)", text):
        assert (ROOT / name).is_file(), name


def test_every_room_and_module_on_the_map_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^\| `((?:styleengine|gimp_plugin)/[\w./]+)` \|", text, re.MULTILINE)
    assert len(rooms) > 20
    for room in rooms:
        assert (ROOT / room).exists(), room
    packages = [ROOT / "styleengine", ROOT / "gimp_plugin/neural_style"]
    named = {(ROOT / room).resolve() for room in rooms}
    for package in packages:
        for folder in package.iterdir():
            if (folder / "__init__.py").exists():
                assert folder.resolve() in named, f"{folder} is not on the map"
