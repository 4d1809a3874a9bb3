"""Every text of the plug-in is in the template and in each translation, and comes out right."""

from __future__ import annotations

import ast
import gettext
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from styleengine import protocol

REPO = Path(__file__).resolve().parents[1]
PLUGIN = REPO / "gimp_plugin" / "neural_style"
sys.modules.setdefault("protocol", protocol)
sys.path.insert(0, str(PLUGIN))
import texts  # noqa: E402
from mnemonics import Mnemonics  # noqa: E402

PO = PLUGIN / "po"
LANGUAGES = ["de", "zh_CN"]


def marked(source: str) -> list[str]:
    """The texts given to ``_`` and ``N_`` in a module."""
    found = []
    for node in ast.walk(ast.parse(source)):
        marks = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if marks and node.func.id in ("_", "N_") and isinstance(node.args[0], ast.Constant):
            found.append(node.args[0].value)
    return found


def settings_texts() -> list[str]:
    """The labels and help texts of `Settings`."""
    found = []
    for field in fields(protocol.Settings):
        meta = field.metadata
        found += [meta["label"], meta["help"], *(meta["choices"] or {}).values()]
    return found


def all_texts() -> dict[str, list[str]]:
    """Every text, with the files it comes from."""
    found: dict[str, list[str]] = {}
    for path in sorted(PLUGIN.glob("*.py")):
        for text in marked(path.read_text(encoding="utf-8")):
            found.setdefault(text, []).append(path.name)
    for text in settings_texts():
        found.setdefault(text, []).append("protocol.py")
    return found


def quoted(text: str) -> str:
    """A text as a .po file has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def template() -> str:
    """What ``po/neural-style.pot`` has to be: ``python -m tests.test_texts`` writes it."""
    head = '# Texts of Neural Style Transfer for GIMP.\nmsgid ""\nmsgstr ""\n'
    head += '"Content-Type: text/plain; charset=UTF-8\\n"\n'
    parts = [head]
    for text, files in all_texts().items():
        where = " ".join(dict.fromkeys(files))
        parts.append(f'#: {where}\nmsgid {quoted(text)}\nmsgstr ""\n')
    return "\n".join(parts)


def translation(language: str) -> dict[str, str]:
    return texts.read_po((PO / f"{language}.po").read_text(encoding="utf-8"))


@pytest.fixture
def language():
    """Speaks a language during a test."""
    yield lambda *names: texts.use(names)
    texts.use(["C"])


def test_the_template_holds_every_text():
    assert (PO / "neural-style.pot").read_text(encoding="utf-8") == template()


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_text_is_translated(name):
    known = translation(name)
    missing = [text for text in all_texts() if not known.get(text)]
    assert not missing


@pytest.mark.parametrize("name", LANGUAGES)
def test_translations_keep_what_is_filled_in(name):
    for text, translated in translation(name).items():
        if text:
            holes = [sorted(re.findall(r"\{\w+\}", each)) for each in (text, translated)]
            assert holes[0] == holes[1], text
            assert text.endswith("…") == translated.rstrip("。").endswith("…"), text
            assert text.count("\n") == translated.count("\n"), text


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_compiled_catalogue_is_what_gnu_gettext_makes(name, tmp_path):
    msgfmt = shutil.which("msgfmt")
    if msgfmt is None:
        pytest.skip("msgfmt is not installed")
    subprocess.run([msgfmt, "-o", tmp_path / "x.mo", PO / f"{name}.po"], check=True)
    with open(tmp_path / "x.mo", "rb") as stream:
        theirs = gettext.GNUTranslations(stream)
    ours = texts.catalogue(translation(name))
    for text in all_texts():
        assert ours.gettext(text) == theirs.gettext(text) != ""


def test_po_files_with_several_lines_and_marks():
    source = """
# comment
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

#, fuzzy
msgid "unsure"
msgstr "unsicher"

#: a.py
msgid "one "
"\\"two\\"\\n"
msgstr ""
"eins "
"\\"zwei\\"\\n"

msgid "untranslated"
msgstr ""
"""
    messages = texts.read_po(source)
    assert messages == {
        "": "Content-Type: text/plain; charset=UTF-8\n",
        'one "two"\n': 'eins "zwei"\n',
    }
    assert texts.catalogue(messages).gettext('one "two"\n') == 'eins "zwei"\n'


def test_the_first_language_with_a_catalogue_is_taken(language):
    language("xx_YY.UTF-8", "de_AT.UTF-8", "de_AT", "C")
    assert texts._("Strength") == "Stärke"
    language("zh_CN.UTF-8", "zh_CN", "zh", "C")
    assert texts._("Strength") == "强度"
    language("en_GB.UTF-8", "en", "de")
    assert texts._("Strength") == "Strength"
    language("C", "de")
    assert texts._("Strength") == "Strength" and texts._("") == ""


@pytest.mark.parametrize("name", ["C", *LANGUAGES])
def test_no_two_controls_share_a_letter(name, language):
    language(name)
    keys = Mnemonics()
    labels = [keys.label(texts._(text)) for text in settings_texts()[::3]]
    labels += keys.one_of(texts._("Close"), texts._("Cancel"))[:1]
    letters = [each[each.index("_") + 1].lower() for each in labels if "_" in each]
    assert len(letters) == len(set(letters)) and len(letters) > 5


def test_mnemonics():
    keys = Mnemonics("s")
    assert keys.label("Style") == "S_tyle"
    assert keys.label("Tt") == "Tt"
    assert keys.label("强度") == "强度(_A)"
    assert keys.label("文件…") == "文件(_B)…"
    assert keys.label("a_c") == "a___c"
    assert keys.one_of("Xo", "Pix", "下") == ("_Xo", "Pi_x", "下(_X)")
    assert keys.label("xyz") == "x_yz"


def test_names_for_scripts_do_not_change_with_the_language(language):
    language("de")
    assert [field.name for field in fields(protocol.Settings)][:2] == ["preset", "strength"]
    for path in PLUGIN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr.startswith("add_") and node.func.attr.endswith("_argument"):
                assert not marked(ast.unparse(node.args[0])), path.name


if __name__ == "__main__":
    (PO / "neural-style.pot").write_text(template(), encoding="utf-8")
