#!/usr/bin/env python3
"""GIMP plug-in: Filters > Artistic > Neural Style Transfer. The painting is done by the engine."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
import arguments  # noqa: E402
import engine_client  # noqa: E402
import engine_install  # noqa: E402
from gi.repository import Gegl, Gimp, GLib, GObject  # noqa: E402
from job import Job, State  # noqa: E402
from layers import Reader, open_source, whole  # noqa: E402
from protocol import EngineError  # noqa: E402
from result import HiddenCanvas, insert  # noqa: E402

PROCEDURE = "plug-in-neural-style"
PLUGIN_DIR = Path(__file__).resolve().parent
STYLE_BYTES = 512 << 20
POLL_S = 0.1
NAME_PART = " – style: "


class NeuralStyle(Gimp.PlugIn):
    """Registers one procedure and runs it."""

    def do_query_procedures(self):
        """Names the procedures; GIMP asks when the file has changed."""
        return [PROCEDURE]

    def do_set_i18n(self, name):
        """No translations of our own."""
        return False

    def do_create_procedure(self, name):
        """Describes the procedure: it is there even if the engine is not, and says so when run."""
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("*")
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        procedure.set_menu_label("_Neural Style Transfer…")
        procedure.add_menu_path("<Image>/Filters/Artistic")
        procedure.set_documentation(
            "Repaint a layer in the style of another picture",
            "Repaints the layer in the style of another picture, with the features of a neural "
            "network (Gatys et al.). The result is a new layer above it; a selection limits it.",
            None,
        )
        procedure.set_attribution("Neural Style Transfer", "Neural Style Transfer", "2026")
        arguments.add_arguments(procedure)
        return procedure


class Dismissed(Exception):
    """The user has closed the dialog, or the engine has dropped the run."""


def run(procedure, run_mode, image, drawables, config, data):
    """What GIMP calls. Nothing may escape from here: GIMP would show the user nothing at all."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)  # GIMP's Cancel then kills our children with us
    try:
        layer = paint(procedure, run_mode, image, drawables, config)
    except Dismissed:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    except EngineError as problem:
        return failure(procedure, problem)
    except Exception:
        log = engine_install.log_file(os.environ)
        log = engine_install.write_log(log, traceback.format_exc())
        reason = repr(sys.exc_info()[1])
        text = f"Something unexpected happened: {reason[:200]}."
        return failure(procedure, EngineError("plug-in", text, f"Details: {log}"))
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    values.remove(1)
    values.append(GObject.Value(Gimp.Layer, layer))
    return values


def failure(procedure, problem):
    """The return value that makes GIMP show its error box."""
    text = "\n".join(part for part in (problem.message, problem.hint) if part)
    error = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), text, 0)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)


def paint(procedure, run_mode, image, drawables, config):
    """One run from the dialog to the new layer, which it returns."""
    Gegl.init(None)
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    memory = engine_install.data_dir(os.environ) / "gimp-settings.json"
    if interactive:
        # Said before the dialog, not after the user has filled it in.
        open_source(image, drawables)
        arguments.recall(memory, config)
        import dialog

        engine = engine_install.find(PLUGIN_DIR, os.environ)
        pretrained = engine_install.pretrained_features(engine.environment)
        if not dialog.ask(procedure, config, pretrained):
            raise Dismissed
    source = open_source(image, drawables)
    settings = arguments.settings_from(config)
    style = read_style(config)
    if interactive:
        arguments.remember(memory, config)
    canvas = HiddenCanvas(source.seen)
    try:
        reader = source.reader()
        request = engine_client.Request(settings, reader.spec, reader.strips(), style)
        with engine_client.start(PLUGIN_DIR, os.environ) as client:
            follow(Job(client, request, canvas, poll_s=POLL_S))
        layer = insert(source, canvas, result_name(source.name, style.name))
    finally:
        canvas.discard()
    if run_mode != Gimp.RunMode.NONINTERACTIVE and layer.get_image() != image:
        Gimp.Display.new(layer.get_image())
    Gimp.displays_flush()
    return layer


def result_name(layer, style):
    """The name of the new layer; that of a layer which is a result itself does not grow."""
    return f"{layer.split(NAME_PART)[0]}{NAME_PART}{style}"


def follow(job):
    """Sees the job through with GIMP's own progress bar, whose Cancel kills this process."""
    shown = job.text
    Gimp.progress_init(shown)
    while not job.is_finished:
        job.advance()
        if job.text != shown:
            shown = job.text
            Gimp.progress_set_text(shown)
        if job.fraction is None:
            Gimp.progress_pulse()
        else:
            Gimp.progress_update(job.fraction)
    Gimp.progress_end()
    if job.state is State.CANCELLED:
        raise Dismissed


def read_style(config):
    """The chosen style for the engine; raises `EngineError` ("no-style")."""
    choose = "Choose the picture whose style shall be painted."
    layer = config.get_property(arguments.STYLE_LAYER)
    if layer is not None and layer.is_valid():
        reader = Reader(layer, whole(layer), "u8")
        return engine_client.StylePixels(reader.spec, reader.strips(), layer.get_name())
    file = config.get_property(arguments.STYLE)
    if file is None:
        raise EngineError("no-style", "No style picture was chosen.", choose)
    name = file.get_parse_name()
    try:
        _, data, _ = file.load_contents(None)
    except GLib.Error as problem:
        text = f"The style picture cannot be read ({problem.message.rstrip('.')})."
        raise EngineError("no-style", text, choose) from None
    if not data:
        raise EngineError("no-style", f"The style picture {name} is empty.", choose)
    if len(data) > STYLE_BYTES:
        raise EngineError("no-style", f"The style picture {name} is over 512 MB.", choose)
    return engine_client.StyleFile(data, Path(file.get_basename()).stem)


if __name__ == "__main__":
    Gimp.main(NeuralStyle.__gtype__, sys.argv)
