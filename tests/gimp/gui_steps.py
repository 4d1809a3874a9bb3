"""Drives GIMP's windows, from within the root: `dbus-run-session gui_steps.py CONTEXT.json`.

The functions ``step_…`` run in this order in one GIMP; each writes a line to ``results.jsonl``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

from display import (
    is_running,
    press,
    processes,
    start_display,
    window,
    windows_are_managed,
    xdotool,
)

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


def start_gimp():
    log = open(FOLDER / "gimp.log", "wb")  # noqa: SIM115
    command = ["gimp", "--no-splash", "--new-instance", CONTEXT["photo"]]
    asking = {"PYTHONPATH": CONTEXT.get("inside", ""), "NEURAL_STYLE_ASK": str(FOLDER)}
    subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **asking})


def image_window():
    return until(lambda: window(" – GIMP$"), "GIMP's window")


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


def ask(code):
    """Runs lines of Python within our plug-in, whose dialog is open; what they call ``answer``."""
    path = FOLDER / "answer.json"
    path.unlink(missing_ok=True)
    (FOLDER / "ask.part").write_text(code)
    os.replace(FOLDER / "ask.part", FOLDER / "ask.py")
    until(path.exists, "the plug-in to answer")
    told = json.loads(path.read_text())
    assert "problem" not in told, told["problem"]
    return told["answer"]


def use_engine(*command):
    record = {"command": list(command), "protocol": 1}
    ENGINE_RECORD.write_text(json.dumps(record))


def use_waiting_engine():
    for name in ("pid", "run.json", "finish", "stopped"):
        (FAKE_DUMP / name).unlink(missing_ok=True)
    use_engine("python3", CONTEXT["fake"], "--dump", str(FAKE_DUMP), "wait")


def painting_engine():
    """The process id of the scripted engine, once it has got its pictures."""
    until(lambda: (FAKE_DUMP / "run.json").exists(), "the engine to paint")
    return int((FAKE_DUMP / "pid").read_text())


STYLE = Path(CONTEXT["style"])
TOURED = not CONTEXT["download"]
"""Whether the real engine paints throughout, for pictures of the dialog."""
_scripted = False
SIZE = CONTEXT["size"]


def shown():
    """The layers of the images that the user sees; the plug-in's hidden ones do not count."""
    return probe()


def layer_count():
    return len(shown()[0])


def plug_ins():
    """The process ids of our plug-in."""
    return processes(b"neural_style.py")


def dialog():
    return window("^Neural Style Transfer$")


def geometry(target):
    lines = xdotool("getwindowgeometry", "--shell", target)
    shell = dict(line.split("=", 1) for line in lines if "=" in line)
    return tuple(int(shell[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))


def picture_of(target, region):
    """The pixels of a part of a window, as bytes."""
    crop = ["-crop", region, "-depth", "8", "rgb:-"]
    return subprocess.run(["import", "-window", target, *crop], capture_output=True).stdout


def pane():
    """The middle of the preview, as bytes."""
    return picture_of(dialog(), "240x160+180+220")


def settled(look):
    """What ``look`` gives once it gives the same twice."""
    before = look()

    def same():
        nonlocal before
        now = look()
        answer = now if now == before else None
        before = now
        return answer

    return until(same, "the picture to settle")


def tour(name):
    """A picture of the dialog alone, for people."""
    xdotool("mousemove", 1395, 895)
    time.sleep(0.7)  # no condition to wait for: a tooltip that goes
    path = FOLDER / f"{name}.png"
    subprocess.run(["import", "-window", dialog(), str(path)], check=False)


def open_dialog(key="ctrl+shift+f"):
    press(image_window(), key)
    until(dialog, "the dialog")
    until(lambda: len(set(pane())) > 40, "the layer in the preview")


def close_dialog():
    press(until(dialog, "the dialog"), "alt+c")
    until(lambda: not (dialog() or plug_ins()), "the end of the dialog")


def start_painting():
    """Presses Paint; the scripted engine's process id, once the real work has arrived there."""
    for name in ("run.json", "stopped"):
        (FAKE_DUMP / name).unlink(missing_ok=True)
    press(dialog(), "alt+p")
    until(lambda: sent_settings().get("size") == SIZE, "the engine to paint")
    return int((FAKE_DUMP / "pid").read_text())


def sent_settings():
    try:
        return json.loads((FAKE_DUMP / "run.json").read_text())["settings"]
    except (OSError, ValueError):
        return {}


# --- the steps -----------------------------------------------------------------------------------


def step_the_menu_opens_the_dialog_with_the_layer_in_it():
    use_engine(*CONTEXT["engine"])
    remembered = {"size": SIZE, **({} if SIZE > 300 else {"iterations": 24})}
    engine_home = HOME / "engine"
    engine_home.mkdir(exist_ok=True)
    (engine_home / "gimp-settings.json").write_text(json.dumps(remembered))
    (engine_home / "samples.json").write_text("false")  # no work that nobody has asked for
    start_gimp()
    target = image_window()
    xdotool("windowsize", "--sync", target, 1380, 860)
    xdotool("mousemove", 1395, 895)
    until(lambda: len(probe()) == 1, "the photo")
    until(lambda: walk_menus(target), "the dialog")
    until(lambda: len(set(pane())) > 40, "the layer in the preview")
    tour("1-open")
    screenshot("whole-screen")


def walk_menus(target, entry="n"):
    """By keyboard: Filters, Artistic, and there a key. Each menu is a window of its own."""
    for key in ("alt+r", "a"):
        before = visible_windows()
        press(target, key) if key == "alt+r" else xdotool("key", key)
        if not soon(lambda seen=before: visible_windows() - seen):
            xdotool("key", "Escape", "Escape", "Escape")
            return False
    xdotool("key", entry)
    return soon(dialog, 60)


def visible_windows():
    return set(xdotool("search", "--onlyvisible", "--name", ".*"))


def soon(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def step_the_download_can_be_started_and_stopped():
    if not CONTEXT["download"]:
        return  # the network is there already

    def started():  # the offer is there once the engine has said what it has
        press(dialog(), "alt+w")
        end = time.monotonic() + 20
        while not (found := processes(b"weights\0fetch")) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    fetching = until(started, "the download to start")
    folder = HOME / "engine" / "weights"
    until(lambda: any(f.stat().st_size >= 2 << 20 for f in folder.glob("*")), "half of the file")
    tour("download")
    press(dialog(), "alt+w")
    until(lambda: not any(map(is_running, fetching)), "the download to stop")
    assert dialog() and plug_ins()


def step_the_styles_show_the_photo_while_nothing_else_is_to_be_done():
    def thumbnails():
        _, _, width, _ = geometry(dialog())
        return picture_of(dialog(), f"360x150+{width - 390}+160")

    styles = settled(thumbnails)
    switch = HOME / "engine" / "samples.json"
    press(dialog(), "alt+m")
    until(lambda: json.loads(switch.read_text()), "the switch to be kept")
    until(lambda: thumbnails() != styles, "the photo in a style")
    tour("samples")
    press(dialog(), "alt+m")
    until(lambda: thumbnails() == styles and not json.loads(switch.read_text()), "the styles again")


def step_a_style_is_previewed_by_itself():
    before = settled(pane)
    press(dialog(), "alt+t", "Home", "space")
    until(lambda: pane() != before, "the quick preview")
    assert layer_count() == 1
    first = settled_preview() if TOURED else pane()
    press(dialog(), "Right", "Right", "Right", "Right", "Right", "space")
    until(lambda: pane() != first, "the preview of another style")
    settled_preview()
    tour("2-preview")
    assert layer_count() == 1


def settled_preview():
    """The preview's picture when the engine has finished it: nothing has moved for a while, of the
    scripted engine a short one."""
    looks = []

    def calm():
        _, _, width, height = geometry(dialog())
        looks.append((pane(), picture_of(dialog(), f"{width - 20}x30+10+{height - 98}")))
        last = looks[-4 if _scripted else -13 :]
        time.sleep(0.15)
        return len(last) > 3 and all(look == last[0] for look in last)

    until(calm, "calm")
    return pane()


def step_the_original_is_a_key_away():
    painted = pane()
    press(dialog(), "alt+o")
    until(lambda: pane() != painted, "the original")
    original = settled(pane)
    press(dialog(), "alt+o")
    until(lambda: pane() != original, "the painting, which may have gone on")
    x, y, _, _ = geometry(dialog())
    xdotool("mousemove", x + 250, y + 300, "mousedown", 1)
    until(lambda: pane() == original, "the original, while the button is down")
    xdotool("mouseup", 1)
    until(lambda: pane() != original, "the painting again")


def step_full_size_shows_a_spot_and_moves():
    fitted = pane()
    press(dialog(), "alt+f")
    until(lambda: pane() != fitted, "full size")
    spot = settled(pane)
    tour("full-size")
    x, y, _, _ = geometry(dialog())
    xdotool("mousemove", x + 250, y + 300, "mousedown", 1)
    for step in range(1, 8):
        xdotool("mousemove", x + 250 - 12 * step, y + 300 - 9 * step)
    xdotool("mouseup", 1)
    until(lambda: pane() != spot, "another spot")
    press(dialog(), "alt+f")
    until(lambda: pane() == fitted, "the whole picture")


def step_paint_makes_a_layer_and_the_dialog_stays():
    before = pane()
    press(dialog(), "alt+p")
    until(lambda: pane() != before, "the painting")
    if TOURED:
        looks = set()
        soon(lambda: looks.add(pane()) or len(looks) > 16, 40)
    tour("while-painting")
    until(lambda: layer_count() == 2, "the new layer")
    layers = shown()[0]
    assert layers[0]["name"].endswith(" – lake.jpg") and layers[0]["selected"], layers
    assert layers[0]["size"] == layers[1]["size"], layers
    assert dialog()
    settled(pane)
    tour("3-painted")
    screenshot("result")


def step_the_last_touch_and_the_layer_are_one_undo():
    place = ask("import keyboard; answer = keyboard.place_of('Opacity')")
    xdotool("mousemove", "--window", dialog(), *place, "click", 1)  # about half
    until(lambda: shown()[0][0]["opacity"] < 90, "the opacity from the dialog")
    opacity = shown()[0][0]["opacity"]
    tour("last-touch")
    press(image_window(), "ctrl+z")
    until(lambda: layer_count() == 1, "the undo")
    press(image_window(), "ctrl+y")
    until(lambda: layer_count() == 2, "the redo")
    assert shown()[0][0]["opacity"] == opacity


def step_an_earlier_result_is_inserted_again():
    open_results_menu()
    xdotool("key", "i")
    until(lambda: layer_count() == 3, "the second insertion")
    press(image_window(), "ctrl+z")
    until(lambda: layer_count() == 2, "the undo")
    press(dialog())


def open_results_menu():
    before = visible_windows()

    def opened():
        press(dialog())  # above which the image's window may lie, or come to lie a moment later
        height = geometry(dialog())[3]
        xdotool("mousemove", "--window", dialog(), 92, height - 101, "click", 3)
        patience = time.monotonic() + 5
        while time.monotonic() < patience:
            if visible_windows() - before:
                return True
            time.sleep(0.1)
        return False

    until(opened, "the menu")


def step_a_result_takes_the_place_of_the_original():
    painted = settled(pane)
    press(dialog(), "alt+o")
    until(lambda: pane() != painted, "the original")
    open_results_menu()
    xdotool("key", "c")
    until(lambda: pane() == painted, "the result that others are compared with")
    open_results_menu()
    xdotool("key", "c")
    until(lambda: pane() != painted, "the original again")
    press(dialog(), "alt+o")
    until(lambda: pane() == painted, "the painting")


def step_the_wheel_and_the_keyboard_zoom():
    press(dialog())
    fitted = settled(pane)

    def closer():
        press(dialog())  # above which the image's window may have come to lie
        x, y, _, _ = geometry(dialog())
        xdotool("mousemove", x + 250, y + 300, "keydown", "ctrl", "click", 4, "keyup", "ctrl")
        return soon(lambda: pane() != fitted, 3)

    until(closer, "a closer look by Ctrl and the wheel")
    close = settled(pane)
    xdotool("click", 5, "click", 7)
    until(lambda: pane() != close, "another spot by the wheel alone")
    xdotool("keydown", "ctrl", "click", 5, "click", 5, "keyup", "ctrl")
    until(lambda: pane() == fitted, "the whole picture by the wheel")
    xdotool("click", 1)  # the preview has the keyboard now
    until(lambda: pane() == fitted, "the button to be up")
    xdotool("key", "plus", "plus", "plus")
    until(lambda: pane() != fitted, "a closer look by a key")
    spot = settled(pane)
    xdotool("key", "Right", "Right", "Down")
    until(lambda: pane() != spot, "another spot by the arrow keys")
    xdotool("key", "0")
    until(lambda: pane() == fitted, "the whole picture by a key")


def step_before_and_after_stand_side_by_side():
    press(dialog(), "alt+o")
    original = settled(pane)
    press(dialog(), "alt+o")
    until(lambda: pane() != original, "the painting")
    painted = settled(pane)
    press(dialog(), "alt+b")
    until(lambda: pane() not in (painted, original), "both")
    tour("split")
    x, y, _, _ = geometry(dialog())
    xdotool("mousemove", x + 250, y + 300, "click", 1)  # the preview has the keyboard
    halves = settled(pane)
    for key, end in (("shift+Right", original), ("shift+Left", painted)):
        for _ in range(20):
            xdotool("key", key)
        until(lambda there=end: pane() == there, "all of one side")
    xdotool("key", *["shift+Right"] * 10)
    until(lambda: pane() == halves, "both again")
    press(dialog(), "alt+b")
    until(lambda: pane() == painted, "the painting alone")


def step_all_controls_have_names_and_the_keyboard_walks_them():
    """Once around, with the keyboard alone, in the order in which they stand; and out of what is
    behind *Advanced*, once that is open."""
    global _scripted
    if not TOURED:  # what follows needs no real painting
        close_dialog()
        use_engine("python3", CONTEXT["fake"], "--dump", str(FAKE_DUMP), "tinted")
        _scripted = True
        open_dialog()
    assert ask("import keyboard; answer = keyboard.nameless()") == []
    press(dialog(), "alt+t")
    for is_open in (False, True):
        ask("import keyboard; keyboard.begin()")
        told = ask("import keyboard; answer = keyboard.told()")
        xdotool("key", "--delay", "40", *["Tab"] * told["stops"])
        told = until(walked_all, "the way around")
        assert not told["unseen"], told
        assert told["default"] == "Paint", told
        marks = [told["order"].index(name) for name in ("Strength", "Advanced", "Quality", "Paint")]
        assert marks == sorted(marks), told
        behind = [name in told["order"] for name in ("Seed", "Iterations", "Device")]
        assert behind == [is_open] * 3, told
        before = told["stops"]
        press(dialog(), "alt+v")
        now = "import keyboard; answer = keyboard.told()['stops']"
        until(lambda: ask(now) != before, "Advanced to open, or to close")  # noqa: B023
    press(dialog(), "alt+t")


def walked_all():
    told = ask("import keyboard; answer = keyboard.told()")
    return None if told["missed"] else told


def step_a_style_is_found_by_typing_and_starred_by_keys():
    before = settled(pane)
    press(dialog(), "alt+t", *"wave", "Return")
    until(lambda: pane() != before, "the preview of what was found")
    xdotool("key", "Escape")  # the words go, and the dialog stays
    favorites, windows = HOME / "engine" / "favorite-styles.json", visible_windows()

    def opened():
        press(dialog(), "alt+t", "Menu")
        return soon(lambda: visible_windows() - windows, 5)

    until(opened, "the menu")
    xdotool("key", "Return")
    until(favorites.exists, "the favourite")
    assert [Path(uri).name for uri in json.loads(favorites.read_text())] == ["style-wave.jpg"]
    settled_preview()


def drop(path, on_picture=False):
    """Drags a file or folder from another window onto the list of styles, or the picture."""
    source = subprocess.Popen(["python3", CONTEXT["drag"], path.as_uri()])
    try:
        start = until(lambda: window("^drag-from-here$"), "the window to drag from")
        from_x, from_y, width, height = geometry(start)
        x, y, across, _ = geometry(dialog())
        from_x, from_y, to_x, to_y = (
            from_x + width // 2,
            from_y + height // 2,
            x + 250 if on_picture else x + across - 200,
            y + 300 if on_picture else y + 200,
        )
        xdotool("mousemove", from_x, from_y, "mousedown", 1)
        for step in range(1, 21):
            part = step / 20
            xdotool(
                "mousemove",
                round(from_x + part * (to_x - from_x)),
                round(from_y + part * (to_y - from_y)),
            )
            time.sleep(0.03)  # a hand is not faster either
        time.sleep(0.3)  # the target answers in its own time, and nothing tells when it has
        xdotool("mouseup", 1)
        time.sleep(0.5)
    finally:
        source.kill()
        source.wait()


def step_a_dropped_file_becomes_the_style():
    before = settled(pane)
    dropped = FOLDER / "dropped.jpg"
    shutil.copy(STYLE, dropped)
    drop(dropped)
    until(lambda: pane() != before, "the preview of the dropped style")
    settled_preview()


def step_a_folder_is_dropped_and_removed_again():
    folder, memory = FOLDER / "my styles", HOME / "engine" / "style-folders.json"
    folder.mkdir()
    shutil.copy(STYLE, folder / "mine.jpg")

    def folders():
        return json.loads(memory.read_text()) if memory.exists() else []

    drop(folder)
    until(lambda: folders() == [str(folder)], "the folder among the user's")
    before = visible_windows()
    press(dialog(), "alt+t", "shift+Tab", "space")
    until(lambda: visible_windows() - before, "the menu")
    xdotool("key", "Down", "Return")
    until(lambda: folders() == [], "the folder to be forgotten")
    until(dialog, "the dialog, without its menu")
    assert (folder / "mine.jpg").exists()


def step_the_preview_has_the_shape_of_the_selection():
    def corner():
        """The upper left of the picture, wherever that begins below the messages and the layer."""
        data = picture_of(dialog(), "24x300+14+90")
        rows = [data[k : k + 72] for k in range(0, len(data), 72)]
        top = next(k for k, row in enumerate(rows) if len(set(row)) > 12)
        return b"".join(rows[top : top + 18])

    probe("select-ellipse")
    whole = settled(pane)
    press(image_window())  # coming back from there it looks at the layer again
    press(dialog(), "alt+o", "alt+o")
    until(lambda: pane() != whole, "another part of the picture")
    painted, outside = settled_preview(), corner()
    tour("selection")
    press(dialog(), "alt+o")
    until(lambda: pane() != painted, "the original")
    assert corner() == outside and len(set(outside)) > 10
    press(dialog(), "alt+o")
    probe("select-none")
    press(image_window())
    press(dialog(), "alt+o", "alt+o")
    settled_preview()


def step_a_painted_file_dropped_on_the_picture_brings_its_settings():
    before = settled(pane)
    drop(Path(CONTEXT["painted"]), on_picture=True)
    until(lambda: pane() != before, "the preview with its settings")
    settled_preview()


def question(*keys):
    """The window with the question that a key of the dialog's leads to."""
    before = visible_windows()
    press(dialog(), *keys)
    return max(until(lambda: visible_windows() - before, "the question"), key=int)


def answer(asked, key):
    xdotool("key", "--clearmodifiers", key)
    until(lambda: asked not in visible_windows(), "the question to go")


def step_escape_leaves_no_process_and_the_settings_are_kept():
    answer(question("Escape"), "Escape")
    assert dialog() and plug_ins()
    asked = question("Escape")
    screenshot("escape")
    answer(asked, "alt+l")
    until(lambda: not (dialog() or plug_ins()), "the end of the dialog")
    kept = json.loads((HOME / "engine" / "gimp-settings.json").read_text())
    assert kept["size"] == SIZE and kept["styles"], kept
    assert kept["strength"] == 87.0, kept  # as the dropped file said
    assert " – " not in str(probe()[1:]) and len(probe()) == 1


def step_stop_and_keep_inserts_what_there_is():
    use_waiting_engine()
    open_dialog()
    until(lambda: len(set(results_bar())) > 40, "the results of the dialog before")
    tour("results")
    pid = start_painting()
    until(lambda: len(set(pane())) > 40, "the painting")
    tour("keep")
    screenshot("painting")
    asked = time.monotonic()
    press(dialog(), "alt+s")
    until(lambda: layer_count() == 3, "the layer")
    print(f"stop and keep: a layer after {time.monotonic() - asked:.1f} s", flush=True)
    assert dialog() and is_running(pid)
    top = shown()[0][0]
    assert "(stopped at 64 px)" in top["name"], top
    assert top["made-from"] == "lake.jpg", "the painting was selected"


def results_bar():
    """The pixels of the thumbnails of results."""
    _, _, _, height = geometry(dialog())
    return picture_of(dialog(), f"40x24+72+{height - 115}")


def step_closing_asks_where_something_would_be_lost():
    pid = start_painting()
    asked = question("alt+F4")
    screenshot("unfinished")
    answer(asked, "Escape")
    assert dialog() and is_running(pid) and not (FAKE_DUMP / "stopped").exists()
    press(dialog(), "Escape")
    until((FAKE_DUMP / "stopped").exists, "the end of the run")
    press(image_window(), "ctrl+z")
    until(lambda: layer_count() == 2, "the result to be gone from the image")
    answer(question("alt+c"), "Escape")
    press(image_window(), "ctrl+y")
    until(lambda: layer_count() == 3, "the result to be back")


def step_cancel_inserts_nothing_and_the_dialog_stays():
    pid = start_painting()
    press(dialog(), "Escape")
    until((FAKE_DUMP / "stopped").exists, "the end of the run")
    assert layer_count() == 3 and dialog() and is_running(pid)


def step_the_layer_is_changed_and_deleted_during_the_run():
    pid = start_painting()
    before = layer_count()
    probe("delete-lowest-layer")
    until(lambda: layer_count() == before - 1, "the layer to go")
    (FAKE_DUMP / "finish").touch()
    until(lambda: layer_count() == before, "the result")
    (FAKE_DUMP / "finish").unlink()
    assert is_running(pid)
    close_dialog()
    until(lambda: not is_running(pid), "the end of the engine")


def step_what_is_looked_at_is_painted_for_real():
    use_engine("python3", CONTEXT["fake"], "--dump", str(FAKE_DUMP))
    ready, asked = FAKE_DUMP / "ready.json", FAKE_DUMP / "spot.json"
    for left in ready, asked:
        left.unlink(missing_ok=True)
    (HOME / "engine" / "gimp-settings.json").write_text(json.dumps({"style": STYLE.as_uri()}))
    open_dialog()
    until(ready.exists, "the engine to be made ready when the preview is there")
    assert not asked.exists()
    press(dialog(), "alt+f")
    until(asked.exists, "a spot to be asked for")
    spot = json.loads(asked.read_text())["spot"]
    assert spot["size"] == spot["area"][2:] and spot["size"][0] < spot["whole"][0], spot
    close_dialog()


def step_filters_repeat_paints_again_without_a_dialog():
    use_engine("python3", CONTEXT["fake"])
    before = layer_count()
    press(image_window(), "ctrl+f")
    until(lambda: layer_count() == before + 1, "another layer")
    assert not dialog()


def step_several_layers_are_painted_one_after_another():
    probe("select-two-layers")
    before = layer_count()
    open_dialog()
    press(dialog(), "alt+p")
    until(lambda: layer_count() == before + 2, "two more layers")
    close_dialog()
    probe("select-two-layers")
    press(image_window(), "ctrl+f")
    until(lambda: layer_count() == before + 4, "two more layers without a dialog")
    until(lambda: not plug_ins(), "the end of the run")
    press(image_window(), "ctrl+z")
    until(lambda: layer_count() == before + 2, "both layers gone in one step of the undo")
    press(image_window(), "ctrl+y")
    until(lambda: layer_count() == before + 4, "both layers back")


def grouped():
    """The layers in the group, the uppermost first."""
    return next(layer["within"] for layer in shown()[0] if layer["within"])


def step_a_channel_is_a_place_and_what_is_in_a_group_stays_there():
    use_engine("python3", CONTEXT["fake"], "--dump", str(FAKE_DUMP))
    probe("group-and-channel")
    photo, before = grouped(), layer_count()
    other = (Path(CONTEXT["plugin"]) / "styles" / "style-night.jpg").as_uri()
    choice = {"size": SIZE, "strength": 60.0, "styles": [{"uri": STYLE.as_uri()}, {"uri": other}]}
    (HOME / "engine" / "gimp-settings.json").write_text(json.dumps(choice))
    open_dialog()
    focus = "import keyboard; answer = keyboard.name(keyboard.dialog().get_focus())"
    press(dialog(), "alt+t", "Tab", "Tab")
    until(lambda: ask(focus).startswith("Place of"), "the list of places")
    xdotool("key", "Down")
    tour("places")
    press(dialog(), "alt+p")
    until(lambda: len(grouped()) == len(photo) + 1, "the new layer in the group")
    assert grouped()[1:] == photo and layer_count() == before
    styles = json.loads((FAKE_DUMP / "run.json").read_text())["styles"]
    assert styles[0]["mask"] and not styles[1].get("mask"), styles
    mask = (FAKE_DUMP / "mask-0.raw").read_bytes()
    assert mask[:9] == b"\xff" * 9 and mask[-9:] == bytes(9), "the upper half"
    close_dialog()


def step_the_menu_repeats_what_a_painted_layer_remembers():
    before = grouped()
    memory = HOME / "engine" / "gimp-settings.json"
    memory.write_text(json.dumps({"strength": 1.0}))

    until(lambda: walk_menus(image_window(), "t"), "the dialog")
    until(lambda: len(set(pane())) > 40, "the layer in the preview")
    press(dialog(), "alt+p")
    until(lambda: len(grouped()) == len(before) + 1, "the new layer beside the one before")
    close_dialog()
    kept = json.loads(memory.read_text())
    assert kept["strength"] == 60.0 and kept["size"] == SIZE, kept
    assert [style.get("where", "") for style in kept["styles"]] == ["Sky", ""], kept
    mean_the_filter_itself_by_repeat()


def agreed():
    """Clicks "Use them" in the message over the preview."""
    place = ask("import keyboard; answer = keyboard.place_of('Use them')")
    xdotool("mousemove", "--window", dialog(), *place, "click", 1)
    return soon(strangers_file_was_sent, 3)


def step_what_a_strangers_layer_names_is_read_only_if_the_user_agrees():
    shutil.copy(STYLE, FOLDER / "stranger.jpg")
    probe("select-top-layer")
    probe("note-of-a-stranger")
    for name in ("style.raw", "run.json"):
        (FAKE_DUMP / name).unlink(missing_ok=True)
    use_engine("python3", CONTEXT["fake"], "--dump", str(FAKE_DUMP))
    until(lambda: walk_menus(image_window(), "t"), "the dialog")
    until(lambda: len(set(pane())) > 40, "the layer in the preview")
    tour("question")
    assert not strangers_file_was_sent()  # samples of the styles that came along may have been
    until(agreed, "the preview in the stranger's style")
    close_dialog()
    mean_the_filter_itself_by_repeat()


def strangers_file_was_sent():
    sent = FAKE_DUMP / "style.raw"
    return sent.exists() and sent.read_bytes() == STYLE.read_bytes()


def mean_the_filter_itself_by_repeat():
    """GIMP's Ctrl+F means what was opened last."""
    until(lambda: walk_menus(image_window()), "the dialog")
    close_dialog()


def step_gimps_own_cancel_ends_the_engine_and_leaves_no_layer():
    use_waiting_engine()
    before = layer_count()
    press(image_window(), "ctrl+f")
    pid = painting_engine()
    assert is_running(pid)
    screenshot("progress")
    hide_docks()
    click_cancel(pid)
    until(lambda: not plug_ins(), "the end of the plug-in")
    assert layer_count() == before


def hide_docks():
    """Then the status bar and its Cancel button reach into the window's corner."""
    target = image_window()
    seen = look_at_right_side(target)
    press(target, "Tab")
    until(lambda: look_at_right_side(target) != seen, "the docks to go away")


def look_at_right_side(target):
    return picture_of(target, "150x300+1200+200")


def click_cancel(pid):
    """The Cancel button is at the right end of the status bar; its place depends on the theme."""
    x, y, width, height = geometry(image_window())
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


def step_a_failure_is_said_in_the_dialog_and_nothing_is_lost():
    bad = FOLDER / "bad.png"
    bad.write_bytes(b"fake:failed")
    memory = HOME / "engine" / "gimp-settings.json"
    memory.write_text(json.dumps({"size": SIZE, "strength": 60.0, "style": bad.as_uri()}))
    use_engine("python3", CONTEXT["fake"], "--dump", str(FAKE_DUMP))
    open_dialog()
    said = "import keyboard; answer = ' '.join(keyboard.messages())"
    press(dialog(), "alt+p")
    until(lambda: "The style is not a picture." in ask(said), "the message over the preview")
    tour("problem")
    assert layer_count() >= 1 and dialog()
    close_dialog()
    assert json.loads(memory.read_text())["styles"][0]["uri"] == bad.as_uri()
    memory.write_text(json.dumps({"size": SIZE, "style": STYLE.as_uri()}))


def step_killing_the_plug_in_ends_the_engine():
    use_waiting_engine()
    open_dialog()
    pid = start_painting()
    before = layer_count()
    os.kill(plug_ins()[0], signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: not is_running(pid), "the end of the engine")
    print(f"killed plug-in: engine gone after {time.monotonic() - killed:.2f} s", flush=True)
    until(lambda: not dialog(), "the end of the dialog")
    assert layer_count() == before
    dismiss_messages()


def dismiss_messages():
    """GIMP tells that the plug-in has crashed."""
    soon(lambda: window("GIMP Message"), 5)
    while found := window("GIMP Message"):
        press(found, "Escape")
        time.sleep(0.3)


def step_closing_the_image_ends_the_dialog_and_the_engine():
    use_waiting_engine()
    open_dialog()
    pid = start_painting()
    before = len(shown())
    assert len([s for s in probe("close") if s]) == before - 1
    closed = time.monotonic()
    until(lambda: not is_running(pid), "the end of the engine")
    print(f"closed image: engine gone after {time.monotonic() - closed:.2f} s", flush=True)
    until(lambda: not plug_ins() and not dialog(), "the end of the run")
    assert probe() == []


def main(steps):
    """Runs the functions ``step_…`` among ``steps``."""
    start = time.monotonic()
    start_display()
    until(windows_are_managed, "a window manager")
    with open(FOLDER / "results.jsonl", "w") as out:
        for name, step in list(steps.items()):
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


if __name__ == "__main__":
    main(globals())
