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
from choice import Choice, StyleChoice  # noqa: E402
from gi.repository import Gegl, Gimp, GLib, GObject  # noqa: E402
from job import Job, State  # noqa: E402
from layers import open_source  # noqa: E402
from pictures import file_stem, load_styles, result_name, style_note  # noqa: E402
from protocol import EngineError  # noqa: E402
from result import HiddenCanvas, insert  # noqa: E402
from texts import _, use  # noqa: E402

PROCEDURE = "plug-in-neural-style"
PLUGIN_DIR = Path(__file__).resolve().parent
POLL_S = 0.1


class NeuralStyle(Gimp.PlugIn):
    """Registers one procedure and runs it."""

    def do_query_procedures(self):
        """Names the procedures; GIMP asks when the file has changed."""
        return [PROCEDURE]

    def do_set_i18n(self, name):
        """GIMP need not translate anything: `texts` does."""
        return False

    def do_create_procedure(self, name):
        """Describes the procedure: it is there even if the engine is not, and says so when run."""
        use(GLib.get_language_names())
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("*")
        mask = Gimp.ProcedureSensitivityMask
        procedure.set_sensitivity_mask(mask.DRAWABLE | mask.DRAWABLES)
        procedure.set_menu_label(_("_Neural Style Transfer…"))
        procedure.add_menu_path("<Image>/Filters/Artistic")
        procedure.set_documentation(
            _("Repaint a layer in the style of another picture"),
            _(
                "Repaints the layer in the style of another picture, with the features of a neural "
                "network (Gatys et al.). The result is a new layer above it; a selection limits it."
            ),
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
    use(GLib.get_language_names())
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
        text = _("Something unexpected happened: {reason}.").format(reason=reason[:200])
        hint = _("Details: {file}").format(file=log)
        return failure(procedure, EngineError("plug-in", text, hint))
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
    if run_mode == Gimp.RunMode.INTERACTIVE:
        return converse(image, drawables, config, None)
    choice = Choice(arguments.settings_from(config), (style_of(config),))
    several = drawables if run_mode == Gimp.RunMode.WITH_LAST_VALS else drawables[:1]
    if len(several) < 2:
        several = [None]
    with contextlib.ExitStack() as stack:
        client = None
        for drawable in several:
            source = open_source(image, drawables if drawable is None else [drawable])
            reader, canvas = source.reader(), HiddenCanvas(source.seen)
            stack.callback(canvas.discard)
            styles = load_styles(choice.styles, image, source.layer, source.seen, False)
            request = engine_client.Request(choice.settings, reader.spec, reader.strips(), styles)
            if client is None:
                client = stack.enter_context(engine_client.start(PLUGIN_DIR, os.environ))
            follow(Job(client, request, canvas, poll_s=POLL_S))
            name = result_name(source.name, choice.styles)
            layer = insert(source, canvas, name, style_note(choice, source.layer))
            if run_mode != Gimp.RunMode.NONINTERACTIVE and layer.get_image() != image:
                Gimp.Display.new(layer.get_image())
    Gimp.displays_flush()
    return layer


def converse(image, drawables, config, choice):
    """The dialog; returns the last layer that came of it."""
    open_source(image, drawables[:1])  # said before the dialog, not after the user has filled it in
    from studio import Studio

    studio = Studio(image, drawables, PLUGIN_DIR, choice)
    studio.run()
    if studio.inserted is None or not studio.inserted.is_valid():
        raise Dismissed
    if config is not None:
        # What Filters > Repeat takes.
        arguments.put_settings(config, studio.used.settings)
        style = studio.used.styles[0]
        layer = Gimp.Item.get_by_id(style.layer) if style.layer else None
        arguments.put_style(config, style.uri, layer)
    return studio.inserted


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


def style_of(config):
    """The chosen style; raises `EngineError` ("no-style")."""
    layer = config.get_property(arguments.STYLE_LAYER)
    if layer is not None and layer.is_valid():
        return StyleChoice(layer=layer.get_id(), name=layer.get_name())
    file = config.get_property(arguments.STYLE)
    if file is None:
        choose = _("Choose the picture whose style shall be painted.")
        raise EngineError("no-style", _("No style picture was chosen."), choose)
    return StyleChoice(file.get_uri(), name=file_stem(file.get_uri()))


if __name__ == "__main__":
    Gimp.main(NeuralStyle.__gtype__, sys.argv)
