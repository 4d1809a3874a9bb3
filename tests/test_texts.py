"""Every text of the plug-in is in the template and in each translation, and comes out right."""

from __future__ import annotations

import ast
import functools
import gettext
import io
import os
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from engine.wording import explained, notes_of
from language import texts
from language.mnemonics import Mnemonics
from styleengine import protocol
from styleengine.protocol import EngineError, Sentence

REPO = Path(__file__).resolve().parents[1]
PLUGIN = REPO / "gimp_plugin" / "neural_style"

PO = PLUGIN / "language" / "po"
LANGUAGES = ["de", "es", "fr", "ja", "zh_CN"]


def marked(source: str) -> list[str]:
    """The texts given to ``_`` and ``N_`` in a module."""
    found = []
    for node in ast.walk(ast.parse(source)):
        marks = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if marks and node.func.id in ("_", "N_") and isinstance(node.args[0], ast.Constant):
            found.append(node.args[0].value)
    return found


ENGINE = REPO / "styleengine"
SPEAKING = {"EngineError": 1, "bad": 1, "bad_weights": 1, "Sentence": 0, "Sentence.of": 0}
"""What makes sentences in the engine, and which of its arguments is the first template."""
ONLY_THE_COMMAND_LINE = {
    "machine/files.py": "writes files, which the plug-in never asks for",
    "command/cli.py": "reads the command's own options",
    "command/places.py": "keeps pictures that the command painted",
    "command/asked.py": "reads the options of a run",
    "command/many.py": "reads the options of a run",
    "command/photos.py": "looks for the photos of a run",
    "command/sheet.py": "reads the options of a sheet",
    "pictures/files.py": "opens files by name; the plug-in sends their bytes",
    "pictures/saving.py": "writes picture files",
    "weights/sources.py": "reads the options of `weights fetch`",
}
ENGLISH_ONLY = {
    "protocol": "the two programs do not understand each other: for whoever mends them",
    "bad-layer": "a network lacks a layer: for whoever writes a plug-in of the engine",
}


def constants(node: ast.expr, module: ast.Module) -> list[str]:
    """The texts that an expression may be, as far as they stand in its module."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return constants(node.body, module) + constants(node.orelse, module)
    if isinstance(node, ast.Name):
        assigned = (each for each in ast.walk(module) if isinstance(each, ast.Assign))
        named = [a.value for a in assigned if ast.unparse(a.targets[0]) == node.id]
        return [each.value for each in named if isinstance(each, ast.Constant)]
    return []


def spoken() -> list[tuple[str, str, str]]:
    """File, code and template of every sentence of the engine; "?" for what is put together."""
    found = []
    for path in sorted(ENGINE.rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        place = path.relative_to(ENGINE).as_posix()
        for node in ast.walk(module):
            first = SPEAKING.get(ast.unparse(node.func)) if isinstance(node, ast.Call) else None
            if first is None:
                continue
            code = constants(node.args[0], module) if first else []
            for each in node.args[first : 2 * first + 1]:
                together = isinstance(each, (ast.JoinedStr, ast.BinOp))
                templates = ["?"] if together else constants(each, module)
                found += [(place, (code or [""])[0], text) for text in templates if text]
    return found


def engine_texts() -> list[tuple[str, str]]:
    """The templates of the sentences that the engine may send to the plug-in, and their files."""
    named = [("protocol.py", "", protocol.DRAFT_NETWORK)]  # in `Progress.features`
    return [
        (text, f"styleengine/{file}")
        for file, code, text in [*spoken(), *named]
        if file not in ONLY_THE_COMMAND_LINE
        and code not in ENGLISH_ONLY
        and (file, code) != ("protocol.py", "bad-setting")  # settings as scripts write them
        and re.search(r"[^\W\d_]{3}", re.sub(r"\{\w+\}", "", text))
    ]


def settings_texts() -> list[str]:
    """The labels and help texts of `Settings`."""
    found = []
    for field in fields(protocol.Settings):
        meta = field.metadata
        found += [meta["label"], meta["help"], *(meta["choices"] or {}).values()]
    return found


@functools.cache
def all_texts() -> dict[str, list[str]]:
    """Every text, with the files it comes from."""
    found: dict[str, list[str]] = {}
    for path in sorted(PLUGIN.rglob("*.py")):
        for text in marked(path.read_text(encoding="utf-8")):
            found.setdefault(text, []).append(path.relative_to(PLUGIN).as_posix())
    for text in settings_texts():
        found.setdefault(text, []).append("protocol.py")
    for text, file in engine_texts():
        found.setdefault(text, []).append(file)
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
    needed = all_texts()
    assert not [text for text in needed if not known.get(text)]
    assert not [text for text in known if text and text not in needed], "said no more"


@pytest.mark.parametrize("name", LANGUAGES)
def test_translations_keep_what_is_filled_in(name):
    for text, translated in translation(name).items():
        if text:
            holes = [sorted(re.findall(r"\{\w+\}", each)) for each in (text, translated)]
            assert holes[0] == holes[1], text
            assert text.endswith("…") == translated.rstrip("。").endswith("…"), text
            assert text.count("\n") == translated.count("\n"), text


def test_french_sets_no_sign_apart_at_the_end_of_a_line():
    for text, translated in translation("fr").items():
        lost = re.search(r" [;:!?»%]|« |'|[^\u00a0\u202f][;!?»]", translated)
        assert not text or not lost, translated


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
def test_menu_entries_are_found_by_their_english_names(name, language):
    language(name)
    labels = [text for text in all_texts() if text.endswith("…") and "Neural Style" in text]
    assert len(labels) == 3
    for label in labels:
        texts_of_entry = texts._(label), texts.found_in_english("What it does", label)
        words = " ".join(texts_of_entry).lower().replace("_", "")
        assert all(word in words for word in label.lower().replace("_", "").rstrip("…").split())
    assert texts.found_in_english("What it does", labels[0]).startswith("What it does")


@pytest.mark.parametrize("name", ["C", *LANGUAGES])
def test_no_two_controls_share_a_letter(name, language):
    language(name)
    keys = Mnemonics()
    labels = [keys.label(texts._(f.metadata["label"])) for f in fields(protocol.Settings)]
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
    names = 0
    for path in PLUGIN.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr.startswith("add_") and node.func.attr.endswith("_argument"):
                names += 1
                assert not marked(ast.unparse(node.args[0])), path.name
    assert names >= 8


# --- the engine's own sentences -----------------------------------------------------------------


def test_the_engine_speaks_in_templates():
    found = spoken()
    assert len(found) > 90
    assert not [each for each in found if each[2] == "?"]
    used = {file for file, _, _ in found}
    assert {"weights/store.py", "workshop.py", "protocol.py", "serving/outbox.py"} <= used
    assert set(ONLY_THE_COMMAND_LINE) - {"command/cli.py"} <= used
    assert {code for _, code, _ in found} >= {*ENGLISH_ONLY, "out-of-memory", "no-weights"}


def arrived(error: EngineError) -> EngineError:
    """An error after its journey through the pipe."""
    pipe = io.BytesIO()
    protocol.write_frame(pipe, protocol.failed(error, "run-1"))
    pipe.seek(0)
    header, _ = protocol.read_frame(pipe)
    return protocol.error_from(header)


def test_the_engines_sentences_are_translated_with_what_they_name(language):
    photo = Sentence.of("The photo “{name}”", name="lake")
    error = EngineError(
        "picture-too-small",
        "{picture} is only {size} pixels.",
        "Choose a picture of at least {least} pixels.",
        picture=photo,
        size="8×9",
        least="16×16",
    )
    assert str(error) == (
        "The photo “lake” is only 8×9 pixels. Choose a picture of at least 16×16 pixels."
    )
    came = arrived(error)
    assert (came.code, str(came)) == ("picture-too-small", str(error))
    language("de")
    first, second = explained(came).split("\n")
    assert first == "Das Foto „lake“ hat nur 8×9 Pixel."
    assert "16×16" in second and "Choose" not in second


def test_a_value_is_put_in_once_whatever_it_holds(language):
    language("de")
    for name in ("{size}", "{picture}", "{0}", "{", "}}", "%s", r"\1", "The photo"):
        error = EngineError(
            "x", "The photo “{name}”", "{name}: {size}, {gone}", name=name, size="{name}"
        )
        assert error.hint == f"{name}: {{name}}, {{gone}}"
        assert explained(arrived(error)).split("\n")[0] == f"Das Foto „{name}“"
    # a text that was put together already has no values, and keeps its braces
    assert EngineError("x", "It is {size} at {name}.").message == "It is {size} at {name}."


def test_a_sentence_survives_what_no_dialog_can_show():
    error = EngineError(
        "x", "“{name}”: {n}, {text}.", name="a\udce4\0b", n=10**400, text="x" * 9999
    )
    came = arrived(error)
    assert came.message == error.message and "\udce4" in came.message
    text = explained(came)
    assert text.startswith("“a??b”: 1000") and len(text) <= texts.MOST_SHOWN and text.endswith("…")
    assert text.encode("utf-8")


@pytest.mark.parametrize(
    "apart",
    [
        None,
        7,
        [],
        {"message": None},
        {"message": "x"},
        {"message": {"template": 7, "values": {}}},
        {"message": {"template": "x"}},
        {"message": {"template": "x", "values": []}},
    ],
)
def test_an_engine_that_sends_no_templates_speaks_english(language, apart):
    language("de")
    header = {"type": "failed", "code": "x", "message": "It {broke}.", "sentences": apart}
    error = protocol.error_from(header)
    assert explained(error) == "It {broke}." and not error.hint
    assert protocol.error_from({"type": "failed", "message": 7, "hint": []}).message == ""


def test_sentences_within_sentences_come_to_an_end():
    inner = {"template": "{a}", "values": {}}
    for _ in range(200):
        inner = {"template": "{a}", "values": {"a": inner}}
    error = protocol.error_from({"message": "x", "sentences": {"message": inner}})
    assert len(error.message) <= protocol.MAX_VALUE


def test_notes_are_translated(language):
    problem = Sentence.of("The device {name} computes wrong gradients.", name="'mps'")
    notes = [
        Sentence.of("{problem} The processor was used instead.", problem=problem),
        Sentence("Something new happened."),
    ]
    info = protocol.with_sentences({"type": "result"}, notes=notes)
    assert info["notes"][0].endswith("gradients. The processor was used instead.")
    language("de")
    first, second = notes_of(info)
    assert "'mps'" in first and "instead" not in first and second == "Something new happened."
    assert notes_of({"notes": ["Old."]}) == ["Old."]
    assert notes_of({"notes": 7}) == notes_of({}) == []
