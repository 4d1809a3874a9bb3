"""Drives GIMP's windows, from within the root: `dbus-run-session gui_steps.py CONTEXT.json`.

The functions ``step_…`` run in this order in one GIMP; each writes a line to ``results.jsonl``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

CONTEXT = json.loads(Path(sys.argv[1]).read_text())
FOLDER = Path(CONTEXT["folder"])
ENGINE_RECORD = Path(CONTEXT["plugin"]) / "engine.json"
HOME = Path(os.environ["HOME"])
FAKE_DUMP = FOLDER / "fake"
DEADLINE_S = 240


def until(condition, what):
    """The first true answer of ``condition``."""
    deadline = time.monotonic() + DEADLINE_S
    while not (answer := condition()):
        if time.monotonic() > deadline:
            screenshot("timeout")
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.1)
    return answer


# --- the display ---------------------------------------------------------------------------------


def start_display():
    reader, writer = os.pipe()
    subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1400x900x24", "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as stream:
        os.environ["DISPLAY"] = ":" + stream.readline().strip()
    subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)


def start_gimp():
    log = open(FOLDER / "gimp.log", "wb")  # noqa: SIM115
    command = ["gimp", "--no-splash", "--new-instance", CONTEXT["photo"]]
    subprocess.Popen(command, stdout=log, stderr=log)


def xdotool(*words):
    done = subprocess.run(["xdotool", *map(str, words)], capture_output=True, text=True)
    return done.stdout.split()


def window(title):
    found = xdotool("search", "--onlyvisible", "--name", title)
    return found[-1] if found else None


def image_window():
    return until(lambda: window(" – GIMP$"), "GIMP's window")


def press(target, *keys):
    xdotool("windowactivate", "--sync", target)
    xdotool("windowfocus", "--sync", target)
    for key in keys:
        xdotool("key", "--clearmodifiers", key)


def screenshot(name):
    path = FOLDER / f"{name}.png"
    subprocess.run(["import", "-window", "root", str(path)], check=False)


# --- what GIMP holds -----------------------------------------------------------------------------


def probe(action=""):
    """Does something within GIMP; then the layers of all images, as gui_probe.py sees them."""
    answer = FOLDER / "state.json"
    answer.unlink(missing_ok=True)
    script = f"ACTION = {action!r}; ANSWER = {str(answer)!r}; "
    script += f"exec(open({CONTEXT['probe']!r}).read())"
    command = ["dbus-send", "--session", "--print-reply", "--reply-timeout=100000"]
    command += ["--dest=org.gimp.GIMP.UI", "/org/gimp/GIMP/UI", "org.gimp.GIMP.UI.BatchRun"]
    command += ["string:python-fu-eval", f"string:{script}"]
    sent = subprocess.run(command, capture_output=True, text=True)
    assert sent.returncode == 0, sent.stderr
    until(answer.exists, "GIMP to tell what it holds")
    return json.loads(answer.read_text())


def layer_counts():
    """How many layers each image has; the plug-in's hidden image counts, while there is one."""
    return [len(layers) for layers in probe()]


def use_engine(*command):
    record = {"command": list(command), "protocol": 1}
    ENGINE_RECORD.write_text(json.dumps(record))


def use_waiting_engine():
    for name in ("pid", "run.json", "finish"):
        (FAKE_DUMP / name).unlink(missing_ok=True)
    use_engine("python3", CONTEXT["fake"], "--dump", str(FAKE_DUMP), "wait")


def painting_engine():
    """The process id of the scripted engine, once it has got its pictures."""
    until(lambda: (FAKE_DUMP / "run.json").exists(), "the engine to paint")
    return int((FAKE_DUMP / "pid").read_text())


def is_running(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    return "State:\tZ" not in status


def plug_in_running():
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"neural_style.py" in entry.read_bytes():
                return True
        except OSError:
            continue
    return False


STYLE = Path(CONTEXT["style"])


# --- the steps -----------------------------------------------------------------------------------


def step_the_menu_opens_the_dialog_with_the_remembered_settings():
    use_engine(*CONTEXT["engine"])
    remembered = {
        "size": 160, "iterations": 12, "features": "draft", "strength": 80.0,
        "style": STYLE.as_uri(),
    }  # fmt: skip
    engine_home = HOME / "engine"
    engine_home.mkdir(exist_ok=True)
    (engine_home / "gimp-settings.json").write_text(json.dumps(remembered))
    start_gimp()
    target = image_window()
    xdotool("windowsize", "--sync", target, 1380, 860)
    xdotool("mousemove", 1395, 895)
    until(lambda: len(probe()) == 1, "the photo")
    until(lambda: walk_menus(target), "the dialog")
    screenshot("dialog")


def walk_menus(target):
    """By keyboard: Filters, Artistic, Neural Style Transfer. Each menu is a window of its own."""
    for key in ("alt+r", "a"):
        before = visible_windows()
        press(target, key) if key == "alt+r" else xdotool("key", key)
        if not soon(lambda shown=before: visible_windows() - shown):
            xdotool("key", "Escape", "Escape", "Escape")
            return False
    xdotool("key", "n")
    return soon(dialog, 60)


def visible_windows():
    return set(xdotool("search", "--onlyvisible", "--name", ".*"))


def soon(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def dialog():
    return window("^Neural Style Transfer$")


def step_ok_paints_a_new_layer():
    press(dialog(), "Return")
    until(lambda: not dialog(), "the dialog to close")
    until(lambda: not plug_in_running(), "the end of the run")
    layers = probe()[0]
    names = [layer["name"] for layer in layers]
    assert len(names) == 2 and names[0].endswith(f"style: {STYLE.stem}"), names
    assert layers[0]["selected"] and layers[0]["size"] == layers[1]["size"], layers
    screenshot("result")


def step_one_undo_takes_it_back():
    press(image_window(), "ctrl+z")
    until(lambda: layer_counts() == [1], "the undo")
    assert probe()[0][0]["selected"]
    press(image_window(), "ctrl+y")
    until(lambda: layer_counts() == [2], "the redo")


def step_filters_repeat_paints_again_without_a_dialog():
    use_engine("python3", CONTEXT["fake"])
    press(image_window(), "ctrl+f")
    until(lambda: layer_counts() == [3], "a third layer")
    assert not dialog()


def step_escape_in_the_dialog_changes_nothing():
    press(image_window(), "ctrl+shift+f")
    press(until(dialog, "the dialog"), "Escape")
    until(lambda: not (dialog() or plug_in_running()), "the dialog to close")
    assert layer_counts() == [3]


def step_cancel_ends_the_engine_and_leaves_no_layer():
    use_waiting_engine()
    press(image_window(), "ctrl+f")
    pid = painting_engine()
    assert is_running(pid)
    screenshot("progress")
    hide_docks()
    click_cancel(pid)
    until(lambda: not plug_in_running(), "the end of the plug-in")
    assert layer_counts() == [3]
    screenshot("cancelled")


def hide_docks():
    """Then the status bar and its Cancel button reach into the window's corner."""
    target = image_window()
    shown = look_at_right_side(target)
    press(target, "Tab")
    until(lambda: look_at_right_side(target) != shown, "the docks to go away")


def look_at_right_side(target):
    crop = ["-crop", "150x300+1200+200", "-depth", "8", "rgb:-"]
    return subprocess.run(["import", "-window", target, *crop], capture_output=True).stdout


def click_cancel(pid):
    """The Cancel button is at the right end of the status bar; its place depends on the theme."""
    target = image_window()
    shell = dict(
        line.split("=", 1)
        for line in xdotool("getwindowgeometry", "--shell", target)
        if "=" in line
    )
    x, y, width, height = (int(shell[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))
    deadline = time.monotonic() + DEADLINE_S
    while is_running(pid):
        for inset in (30, 60, 90):
            for rise in (10, 18, 26):
                xdotool("mousemove", x + width - inset, y + height - rise, "click", 1)
                time.sleep(0.3)
                if not is_running(pid):
                    return
        if time.monotonic() > deadline:
            screenshot("timeout")
            raise AssertionError("the engine survives Cancel")


def step_the_source_is_deleted_during_the_run():
    use_waiting_engine()
    press(image_window(), "ctrl+f")
    pid = painting_engine()
    names = [layer["name"] for layer in probe("delete-lowest-layer")[0]]
    assert len(names) == 2
    (FAKE_DUMP / "finish").touch()
    until(lambda: layer_counts() == [3], "the result")
    until(lambda: not is_running(pid), "the end of the engine")


def step_the_image_is_closed_during_the_run():
    use_waiting_engine()
    press(image_window(), "ctrl+f")
    pid = painting_engine()
    before = len(probe())
    assert len(probe("close")) == before - 1
    (FAKE_DUMP / "finish").touch()
    until(lambda: not plug_in_running() and not is_running(pid), "the end of the run")
    found = probe()
    assert [len(layers) for layers in found] == [1], found
    assert "style: " in found[0][0]["name"]


def step_a_failure_is_shown_in_gimps_own_box():
    ENGINE_RECORD.unlink()
    before = window("GIMP Message|^Neural|[Ee]rror")
    press(image_window(), "ctrl+f")
    until(lambda: window("GIMP Message|[Ee]rror") != before, "the error box")
    screenshot("error")


def main():
    start = time.monotonic()
    start_display()
    with open(FOLDER / "results.jsonl", "w") as out:
        for name, step in list(globals().items()):
            if not name.startswith("step_"):
                continue
            try:
                step()
                answer = ""
            except Exception:
                answer = traceback.format_exc()
            print(json.dumps([name, answer]), file=out, flush=True)
            print(f"{time.monotonic() - start:6.1f} s  {name}", flush=True)
            if answer:
                screenshot("failed")
                break


main()
