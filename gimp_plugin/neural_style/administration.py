"""The procedure that sets up, repairs and removes the engine: with the page, or without one."""

from __future__ import annotations

import os
import time
from pathlib import Path

from gi.repository import Gimp, GObject

from language.texts import N_, _, found_in_english
from setup import flow, torch_build
from setup.in_thread import InThread
from setup.package import of_folder
from setup.state import look
from setup.system import System
from setup.wish import Wish

PROCEDURE = "plug-in-neural-style-setup"
LABEL = N_("Neural Style: Set _Up, Repair, Remove…")
READWRITE = GObject.ParamFlags.READWRITE
POLL_S = 0.1


def describe(plugin, run, menu):
    """The procedure, as GIMP registers it; ``run`` is what it calls."""
    procedure = Gimp.Procedure.new(plugin, PROCEDURE, Gimp.PDBProcType.PLUGIN, run, None)
    procedure.set_attribution("Neural Style Transfer", "Neural Style Transfer", "2026")
    procedure.set_menu_label(_(LABEL))
    procedure.add_menu_path(menu)
    procedure.set_documentation(
        found_in_english(_("Set up the engine of Neural Style Transfer"), LABEL),
        _(
            "Installs, repairs, updates or removes the engine that paints. Without a dialog, "
            "“action” says which; STYLEENGINE_HOME names another folder than the usual one."
        ),
        None,
    )
    procedure.add_enum_argument(
        "run-mode",
        _("Run mode"),
        _("The run mode"),
        Gimp.RunMode,
        Gimp.RunMode.INTERACTIVE,
        READWRITE,
    )
    choice = Gimp.Choice.new()
    for number, (name, label) in enumerate(actions().items()):
        choice.add(name, number, label, "")
    procedure.add_choice_argument(
        "action", _("Action"), _("What is done"), choice, "set-up", READWRITE
    )
    builds = Gimp.Choice.new()
    for number, (name, label) in enumerate(torch_build.LABELS.items()):
        builds.add(name, number, _(label), "")
    procedure.add_choice_argument(
        "pytorch", _("PyTorch"), _("For which hardware"), builds, "auto", READWRITE
    )
    procedure.add_boolean_argument(
        "network",
        _("Pretrained network"),
        _("Download it, too (80 MB), unless it is there"),
        True,
        READWRITE,
    )
    return procedure


def actions():
    """The actions, and their labels."""
    return {"set-up": _("Set up"), "repair": _("Repair"), "remove": _("Remove")}


def administer(plugin: Path, config: Gimp.ProcedureConfig) -> None:
    """One run of the procedure. Raises `EngineError`."""
    if config.get_property("run-mode") == Gimp.RunMode.INTERACTIVE:
        from dialog.setup_page import SetupPage

        of_folder(plugin)
        SetupPage(plugin, leaves=False).run()
        return
    values = (config.get_property(name) for name in ("action", "pytorch", "network"))
    act(plugin, *values)


def act(plugin: Path, action: str, backend: str, network: bool) -> None:
    """Does it without a dialog, telling GIMP's progress bar. Raises `EngineError`."""
    system = System.current()
    home = look(plugin, os.environ, system).home
    if action == "remove":
        work = InThread(lambda talk: flow.remove(home, talk, keep_weights=False))
    else:
        package = of_folder(plugin)
        again = action == "repair"
        wish = Wish(home, backend, folder=plugin, fetch_weights=network, again=again)
        work = InThread(lambda talk: flow.set_up(package, wish, talk, system))
    Gimp.progress_init(_("Setting up Neural Style Transfer"))
    stage = ""
    while not work.look():
        if work.reached:
            Gimp.progress_update(work.reached.fraction)
            if work.reached.stage != stage:
                stage = work.reached.stage
                Gimp.progress_set_text(stage)
        time.sleep(POLL_S)
    if work.problem:
        raise work.problem
