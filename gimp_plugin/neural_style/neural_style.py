#!/usr/bin/env python3
"""GIMP plug-in: Filters > Artistic > Neural Style Transfer. The painting is done by the engine."""

from __future__ import annotations

import contextlib
import os
import sys

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
gi.require_version("GimpUi", "3.0")
from gi.repository import Gegl, Gimp, GLib, GObject

import administration
import arguments
from choice.note import note_from
from choice.trust import Chosen
from engine import installed
from engine.client import start
from engine.mishap import unexpected
from engine.wording import explained
from language.texts import N_, _, found_in_english, use
from pixels.hidden import sweep
from pixels.layers import from_below, layer_to_paint, measure
from pixels.notes import note_of
from pixels.origins import meant, origin, originals
from protocol import EngineError
from setup import state
from setup.system import System
from unattended import PLUGIN_DIR, Dismissed, paint_all

PROCEDURE = "plug-in-neural-style"
AGAIN = "plug-in-neural-style-again"
MENU = "<Image>/Filters/Artistic"
LABEL = N_("_Neural Style Transfer…")
REPEAT = N_("Neural Style: Repeat with _This Layer's Settings…")


class NeuralStyle(Gimp.PlugIn):
    """Registers one procedure and runs it."""

    def do_query_procedures(self):
        """Names the procedures; GIMP asks when the file has changed."""
        return [PROCEDURE, AGAIN, administration.PROCEDURE]

    def do_set_i18n(self, name):
        """GIMP need not translate anything: `texts` does."""
        return False

    def do_create_procedure(self, name):
        """Describes the procedure: it is there even if the engine is not, and says so when run."""
        use(GLib.get_language_names())
        if name == administration.PROCEDURE:
            return administration.describe(self, set_up, MENU)
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("*")
        procedure.set_attribution("Neural Style Transfer", "Neural Style Transfer", "2026")
        mask = Gimp.ProcedureSensitivityMask
        if name == AGAIN:
            procedure.set_sensitivity_mask(mask.DRAWABLE)
            procedure.set_menu_label(_(REPEAT))
            procedure.add_menu_path(MENU)
            procedure.set_documentation(
                found_in_english(_("Paint once more as this layer was painted"), REPEAT),
                _(
                    "A layer that Neural Style Transfer has painted remembers its settings, its "
                    "style, and the layer it was made from. This paints that layer again with them."
                ),
                None,
            )
            arguments.add_return_value(procedure)
            return procedure
        procedure.set_sensitivity_mask(mask.DRAWABLE | mask.DRAWABLES)
        procedure.set_menu_label(_(LABEL))
        procedure.add_menu_path(MENU)
        procedure.set_documentation(
            found_in_english(_("Repaint a layer in the style of another picture"), LABEL),
            _(
                "Repaints the layer in the style of another picture, with the features of a neural "
                "network (Gatys et al.). The result is a new layer above it; a selection limits it."
            ),
            None,
        )
        arguments.add_arguments(procedure)
        return procedure


def run(procedure, run_mode, image, drawables, config, data):
    """What GIMP calls to paint."""
    work = paint_again if procedure.get_name() == AGAIN else paint

    def painted():
        sweep()
        try:
            layer = work(run_mode, image, drawables, config)
        finally:
            sweep(own=True)
        values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
        values.remove(1)
        values.append(GObject.Value(Gimp.Layer, layer))
        return values

    return guarded(procedure, painted)


def set_up(procedure, config, data):
    """What GIMP calls to set up, repair or remove the engine."""

    def done():
        administration.administer(PLUGIN_DIR, config)
        return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)

    return guarded(procedure, done)


def guarded(procedure, work):
    """What ``work`` returns. Nothing may escape from here: GIMP would show the user nothing."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)  # GIMP's Cancel then kills our children with us
    use(GLib.get_language_names())
    # All of the user's data is in one home, the one that the engine was set up in.
    os.environ["STYLEENGINE_HOME"] = str(installed.home_of(PLUGIN_DIR, os.environ))
    try:
        return work()
    except Dismissed:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    except EngineError as problem:
        return failure(procedure, problem)
    except Exception as error:
        return failure(procedure, unexpected(error))


def failure(procedure, problem):
    """The return value that makes GIMP show its error box."""
    error = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), explained(problem), 0)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)


def paint(run_mode, image, drawables, config):
    """One run from the dialog to the new layer, which it returns."""
    Gegl.init(None)
    if run_mode != Gimp.RunMode.NONINTERACTIVE:
        drawables = meant(image, drawables)
    if run_mode == Gimp.RunMode.INTERACTIVE:
        return converse(image, drawables, config, None)
    if run_mode == Gimp.RunMode.WITH_LAST_VALS:  # after a run its painting is selected
        drawables = originals(image, drawables)
    steady = config.get_property(arguments.STEADY)
    if steady:
        drawables = from_below(image, drawables)
    groups = [[drawable] for drawable in drawables] or [[]]
    for group in groups:
        measure(image, group)  # said before anything is read
    choice = arguments.choice_of_call(config)
    layer = paint_all(run_mode, image, groups, choice, steady)
    # Whoever calls has chosen them, and may have the layer painted again.
    chosen().called(choice.styles)
    return layer


def paint_again(run_mode, image, drawables, config):
    """The layer that the selected one was made from, once more with the same settings."""
    Gegl.init(None)
    painted = layer_to_paint(image, drawables)
    try:
        note = note_from(note_of(painted), chosen().find)
    except ValueError:
        raise EngineError(
            "bad-layer",
            _("This layer was not painted by Neural Style Transfer."),
            _("Select a layer that was, or use Neural Style Transfer itself."),
        ) from None
    layer = made_from(image, painted)
    if run_mode == Gimp.RunMode.INTERACTIVE:
        return converse(image, [layer], None, note)
    choose = _("Choose the style in Neural Style Transfer's dialog.")
    if note.layers or not (note.choice.styles or note.lost):
        text = _("This layer's style was a layer itself, which nothing remembers.")
        raise EngineError("no-style", text, choose)
    # The note may come from anybody.
    strange = [style.uri for style in note.choice.styles if not chosen().knows(style)]
    for file in (*note.lost, *strange):
        text = _("The style picture {file} was not chosen on this computer.")
        raise EngineError("no-style", text.format(file=file), choose)
    return paint_all(run_mode, image, [[layer]], note.choice)


def made_from(image, painted):
    """The layer that ``painted`` was made from; if that is gone, the one below it."""
    layer = origin(image, painted)
    if layer is not None:
        return layer
    parent = painted.get_parent()
    siblings = parent.get_children() if parent is not None else image.get_layers()
    below = [s for s in siblings[image.get_item_position(painted) + 1 :] if not s.is_group()]
    return below[0] if below else painted


def setup_is_done():
    """Whether there is an engine; if not, the page that sets it up is shown first."""
    if state.look(PLUGIN_DIR, os.environ, System.current()).kind == state.READY:
        return True
    from dialog import setup_page

    return setup_page.ready(PLUGIN_DIR)


def chosen():
    """Which files the user has chosen on this computer."""
    return Chosen(installed.data_dir(os.environ))


def converse(image, drawables, config, note):
    """The dialog; returns the last layer that came of it."""
    # Said before the dialog, not after the user has filled it in.
    measure(image, from_below(image, originals(image, drawables))[:1])
    if not setup_is_done():
        raise Dismissed
    with start(PLUGIN_DIR, os.environ) as client:
        from dialog.studio import Studio  # while the engine loads its own libraries

        studio = Studio(image, drawables, PLUGIN_DIR, client, note)
        studio.run()
    if studio.wants_set_up:
        from dialog.setup_page import repaired

        if not repaired(PLUGIN_DIR, studio.wants_set_up):
            raise Dismissed
        return converse(image, drawables, config, note)
    if studio.inserted is None or not studio.inserted.is_valid():
        raise Dismissed
    if config is not None and studio.used is not None:
        # What Filters > Repeat takes.
        arguments.put_choice(config, studio.used, studio.steady)
    return studio.inserted


def keep_icons_from_a_full_disk():
    """Has GLib put its temporary files into the folder of the user's session, which is in memory.

    GTK ends a process that cannot load an icon, and newer ones write each into such a file first;
    GIMP, which shows a message of its own then, ends likewise. Only GLib is told: others may want
    more room than there is in memory.
    """
    session, usual = os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("TMPDIR")
    if not (os.path.isdir(session) and os.access(session, os.W_OK)):
        return
    os.environ["TMPDIR"] = session
    GLib.get_tmp_dir()  # it asks once
    if usual is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = usual


if __name__ == "__main__":
    keep_icons_from_a_full_disk()
    Gimp.main(NeuralStyle.__gtype__, sys.argv)
