"""Drives the set-up page, from within the root: `dbus-run-session setup_steps.py CONTEXT.json`.

From a profile that has nothing but the released folder, to the first picture, and back to nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gui_steps as gui

PREFIX = gui.HOME / "engine"
PLUGIN = Path(gui.CONTEXT["plugin"])
LOG = PREFIX / "logs" / "install.log"
STEPS = time.monotonic()


def uv():
    """uv's processes that install."""
    return gui.processes(str(PREFIX / "uv" / "uv").encode() + b"\0pip\0install")


def shot(name):
    gui.tour(name)


def the_preview():
    """Waits for the filter's own dialog, with the layer in it."""
    gui.until(lambda: gui.dialog() and len(set(gui.pane())) > 40, "the layer in the preview")


def record():
    return json.loads((PLUGIN / "engine.json").read_text())


def in_the_middle():
    """Waits until packages are on their way."""
    gui.until(uv, "uv to install")


def step_the_folder_alone_registers_and_shows_the_page():
    gui.start_gimp()
    target = gui.image_window()
    gui.xdotool("windowsize", "--sync", target, 1380, 860)
    gui.xdotool("mousemove", 1395, 895)
    gui.until(lambda: len(gui.probe()) == 1, "the photo")
    gui.until(lambda: gui.walk_menus(target), "the page")
    assert not PREFIX.exists() and not (PLUGIN / "engine.json").exists()
    shot("setup-page")


def step_cancelled_in_the_middle_it_ends_and_can_go_on():
    gui.press(gui.dialog(), "Return")
    in_the_middle()
    shot("setup-running")
    gui.press(gui.dialog(), "Escape")
    gui.until(lambda: not uv(), "the end of uv")
    gui.until(lambda: gui.settled(lambda: gui.picture_of(gui.dialog(), "600x300+0+0")), "the page")
    shot("setup-cancelled")
    assert gui.dialog() and gui.plug_ins()
    assert not (PLUGIN / "engine.json").exists()
    assert list(PREFIX.glob("cache-*")), "what was downloaded is kept"


def step_killed_in_the_middle_the_next_one_goes_on():
    gui.press(gui.dialog(), "Return")
    in_the_middle()
    for pid in [*gui.plug_ins(), *uv()]:
        os.kill(pid, signal.SIGKILL)
    gui.until(lambda: not gui.plug_ins(), "the end")
    gui.dismiss_messages()
    assert not (PLUGIN / "engine.json").exists()
    target = gui.image_window()
    gui.until(lambda: gui.walk_menus(target), "the page again")


def step_set_up_to_the_end_the_preview_follows():
    begun = time.monotonic()
    gui.press(gui.dialog(), "Return")
    gui.until(lambda: (PLUGIN / "engine.json").exists(), "the engine")
    print(f"set up in {time.monotonic() - begun:.0f} s", flush=True)
    the_preview()
    assert record()["version"] and record()["python"] == "managed"
    assert Path(record()["home"]) == PREFIX
    engines = sorted(p.name for p in PREFIX.glob("e[0-9]*"))
    assert len(engines) == 1, engines
    shot("setup-done")


def step_it_paints():
    before = gui.settled(gui.pane)
    gui.press(gui.dialog(), "alt+t", "Home", "space")
    gui.until(lambda: gui.pane() != before, "the quick preview")
    gui.press(gui.dialog(), "alt+p")
    gui.until(lambda: gui.layer_count() == 2, "the new layer")
    print(f"from nothing to a picture: {time.monotonic() - STEPS:.0f} s", flush=True)
    shot("setup-painted")
    gui.close_dialog()


def step_another_version_is_updated():
    values = {**record(), "version": "0.0.9"}
    (PLUGIN / "engine.json").write_text(json.dumps(values))
    manifest = json.loads((PREFIX / "manifest.json").read_text())
    (PREFIX / "manifest.json").write_text(json.dumps({**manifest, "version": "0.0.9"}))
    target = gui.image_window()
    gui.until(lambda: gui.walk_menus(target), "the page")
    shot("setup-update")
    gui.press(gui.dialog(), "Return")
    gui.until(lambda: record()["version"] != "0.0.9", "the new engine")
    the_preview()
    gui.close_dialog()


def step_removed_nothing_is_left():
    target = gui.image_window()
    gui.until(lambda: gui.walk_menus(target, "u"), "the page")
    shot("setup-repair")
    before = gui.visible_windows()
    gui.press(gui.dialog(), "alt+e")
    gui.until(lambda: gui.visible_windows() - before, "the question")
    gui.screenshot("setup-remove")
    gui.xdotool("key", "alt+r")
    gui.until(lambda: not PREFIX.exists() and not PLUGIN.exists(), "the end of all of it")
    gui.until(lambda: gui.settled(lambda: gui.picture_of(gui.dialog(), "600x200+0+0")), "the page")
    shot("setup-removed")
    gui.press(gui.dialog(), "Escape")
    gui.until(lambda: not gui.plug_ins(), "the end")


if __name__ == "__main__":
    gui.main(globals())
