"""Every text of the plug-in is in the template and in each translation, and comes out right."""

from __future__ import annotations

import ast
import gettext
import os
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from language import engine_sentences, texts
from language.mnemonics import Mnemonics
from styleengine import protocol

REPO = Path(__file__).resolve().parents[1]
PLUGIN = REPO / "gimp_plugin" / "neural_style"

PO = PLUGIN / "language" / "po"
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
    for path in sorted(PLUGIN.rglob("*.py")):
        for text in marked(path.read_text(encoding="utf-8")):
            found.setdefault(text, []).append(path.relative_to(PLUGIN).as_posix())
    for text in settings_texts():
        found.setdefault(text, []).append("protocol.py")
    return found


def quoted(text: str) -> str:
    """A text as a .po file has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def template() -> str:
    """What ``neural-style.pot`` has to be; NEURAL_STYLE_RENEW_TEXTS=1 has the test write it."""
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
    if os.environ.get("NEURAL_STYLE_RENEW_TEXTS") == "1":
        (PO / "neural-style.pot").write_text(template(), encoding="utf-8")
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
    for path in PLUGIN.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr.startswith("add_") and node.func.attr.endswith("_argument"):
                assert not marked(ast.unparse(node.args[0])), path.name


# --- the engine's own sentences -----------------------------------------------------------------

ONLY_THE_COMMAND_LINE = {
    "machine/files.py": "writes files, which the plug-in never asks for",
    "command/cli.py": "reads the command's own options",
    "command/run.py": "reads the options of its run",
    "pictures/files.py": "opens files by name; the plug-in sends their bytes",
    "pictures/saving.py": "writes picture files",
    "weights/reading.py": "imports weight files that a person names in a shell",
    "weights/sources.py": "reads the options of `weights fetch`",
}
ENGLISH_ONLY = {
    "protocol": "the two programs do not understand each other: for whoever mends them",
    "bad-layer": "a network lacks a layer: for whoever writes a plug-in of the engine",
}


def sentence(node: ast.expr) -> str | None:
    """The text of an expression as it may come out, with every hole filled; None if unknown."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [sentence(v) if isinstance(v, ast.Constant) else "X7" for v in node.values]
        return "".join(parts)
    if isinstance(node, ast.BinOp):
        left, right = sentence(node.left), sentence(node.right)
        return f"{left or 'X7'}{right or 'X7'}"
    return None


def raised() -> list[tuple[str, str, str]]:
    """File, code and sentence of every `EngineError` that the engine may send to the plug-in."""
    found = []
    for path in sorted((REPO / "styleengine").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if not called or node.func.id not in ("EngineError", "bad") or len(node.args) < 2:
                continue
            code, *words = node.args
            if node.func.id == "bad":  # a picture's name, what it is, and what to do
                texts_of = [f"X7 {sentence(words[0])}.", sentence(words[1])]
                code_name = "bad-picture"
            else:
                texts_of = [sentence(each) for each in words]
                code_name = sentence(code) or ast.unparse(code).lower().replace("_", "-")
            place = path.relative_to(REPO / "styleengine").as_posix()
            found += [(place, code_name, each) for each in texts_of if each]
    return found


def test_every_sentence_of_the_engine_is_known_or_english_for_a_reason():
    sentences = raised()
    assert len(sentences) > 60 and {"out-of-memory", "wrong-device"} <= {c for _, c, _ in sentences}
    unknown = []
    for file, code, text in sentences:
        if file in ONLY_THE_COMMAND_LINE or code in ENGLISH_ONLY or text.startswith("X7 X7"):
            continue
        if file == "protocol.py" and code == "bad-setting":
            continue  # names of settings as scripts write them; the dialog cannot ask for these
        if engine_sentences.template_of(text) is None:
            unknown.append((file, code, text))
    assert not unknown


def test_no_template_says_what_the_engine_never_does():
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted((REPO / "styleengine").rglob("*.py"))
    )
    said = re.sub(r'"\s*\n\s*f?"', "", source)
    for template in (each for each in engine_sentences.TEMPLATES if len(each) > 24):
        longest = max(re.split(r"\{\w+\}", template), key=len).strip(" .“”(),;:")
        assert longest.split(" and {")[0][:20] in said, template


def test_the_engines_sentences_are_translated_with_what_they_name(language):
    language("de")
    text = engine_sentences.translated("The photo “lake” is only 8×9 pixels.")
    assert text == "Das Foto „lake“ hat nur 8×9 Pixel."
    both = "Another download of weights is running. Wait until it has ended."
    assert engine_sentences.translated(both).count(".") == 2 and "download" not in both[:3]
    assert engine_sentences.translated(both) != both
    assert engine_sentences.translated("Something new happened.") == "Something new happened."
    assert engine_sentences.translated("") == ""
    language("C")
    heic = engine_sentences.translated("“a” is a HEIC picture, which cannot be read.")
    assert heic.startswith("“a”")
