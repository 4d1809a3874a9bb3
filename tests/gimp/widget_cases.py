"""Widgets of the plug-in under a display of their own: `widget_cases.py CONTEXT.json`.

Runs within the root. The functions ``case_…`` answer with a traceback, or nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

from display import start_display

CONTEXT = json.loads(Path(sys.argv[1]).read_text())
sys.path.insert(0, CONTEXT["plugin"])


def typed(text, value=50.0, whole=False):
    """What a field holds and shows after ``text`` was typed into it, key by key."""
    from widgets.number import Gtk, Number

    adjustment = Gtk.Adjustment(value=value, lower=0, upper=100, step_increment=1)
    field = Number(adjustment, whole)
    field.set_text("")
    for letter in text:
        field.emit("insert-at-cursor", letter)
    field.update()
    return adjustment.get_value(), field.get_text()


def case_a_decimal_comma_is_read_as_a_point_is():
    assert typed("62,5") == (62.5, "62.5"), typed("62,5")
    assert typed("62.5") == (62.5, "62.5"), typed("62.5")
    assert typed("7") == (7.0, "7"), typed("7")
    assert typed("101,5")[0] == 100.0
    assert typed("6x2;,5") == (62.5, "62.5"), "letters are not taken"


def case_a_whole_number_has_no_decimals():
    assert typed("62", whole=True) == (62.0, "62")


def guarded(*functions):
    """What a guard has shown after each function has been called by the main loop until the end."""
    from gi.repository import GLib

    from dialog.guard import Guard, Steps
    from dialog.stopwatch import Stopwatch

    shown, loop = [], GLib.MainLoop()
    guard = Guard(Stopwatch(), lambda problem: shown.append(problem.message))
    for function in functions:
        function(guard, Steps("test", guard), shown)
    GLib.timeout_add(300, loop.quit)
    loop.run()
    return shown


def case_a_mishap_in_a_callback_is_shown_once_and_it_goes_on():
    calls = []

    def work(guard, steps, shown):
        def tick():
            calls.append(1)
            raise KeyError("brush")

        guard.every("tick", 5, tick)

    shown = guarded(work)
    assert len(calls) > 3 and len(shown) == 1 and "brush" in shown[0], (calls, shown)
    log = Path(os.environ["STYLEENGINE_HOME"]) / "logs" / "engine.log"
    assert "in tick" in log.read_text()


def case_an_error_of_ours_is_shown_in_its_own_words():
    from protocol import EngineError

    def work(guard, steps, shown):
        def once():
            if not shown:
                raise EngineError("image-gone", "The {what} was closed.", what="image")
            return False

        guard.every("tick", 5, once)

    assert guarded(work) == ["The image was closed."]


def case_a_piece_of_work_that_fails_does_not_hold_up_the_next():
    done = []

    def piece(name, fails=False):
        yield
        if fails:
            raise ValueError(name)
        yield
        done.append(name)

    def work(guard, steps, shown):
        for each in (piece("one"), piece("two", fails=True), piece("three")):
            steps.add(each)

    def later(guard, steps, shown):
        steps.add(piece("four", fails=True))
        steps.add(piece("five"))
        steps.finish()
        assert not steps and "five" in done
        steps.add(piece("six"))
        steps.stop()

    shown = guarded(work, later)
    assert done == ["five", "one", "three"] and len(shown) == 1, (done, shown)


def case_a_mishap_in_a_signal_handler_is_shown():
    from gi.repository import Gtk

    hook = sys.excepthook

    def work(guard, steps, shown):
        guard.watch_handlers()
        button = Gtk.Button()
        button.connect("clicked", lambda button: {}["no such thing"])
        button.clicked()

    try:
        shown = guarded(work)
    finally:
        sys.excepthook = hook
    assert len(shown) == 1 and "no such thing" in shown[0], shown


def clicked(view, index, state=0):
    """A click on a picture of an icon view, with or without a key held down."""
    from gi.repository import Gdk, Gtk

    first, path = (Gtk.TreePath.new_from_indices([k]) for k in (0, index))
    while not 0 < view.get_cell_rect(first, None)[1].x <= 20:  # until it is laid out anew
        Gtk.main_iteration()
    found, cell = view.get_cell_rect(path, None)
    assert found
    for kind in (Gdk.EventType.BUTTON_PRESS, Gdk.EventType.BUTTON_RELEASE):
        event = Gdk.Event.new(kind)
        event.button.window = view.get_window().get_children()[0]
        event.button.send_event, event.button.button = True, 1
        event.button.x, event.button.y = cell.x + cell.width / 2, cell.y + cell.height / 2
        event.button.state = Gdk.ModifierType(state)
        event.set_device(view.get_display().get_default_seat().get_pointer())
        Gtk.main_do_event(event)


def case_control_and_click_keeps_what_is_chosen_in_other_groups():
    from gi.repository import Gdk, Gtk

    from choice.choice import StyleChoice
    from language.mnemonics import Mnemonics
    from widgets.style_browser import StyleBrowser

    browser = StyleBrowser(Mnemonics(), lambda: None, lambda folder: None, lambda folder: None)
    groups = {
        group: [StyleChoice(f"file:///{word}{k}.jpg", name=f"{word}{k}") for k in range(3)]
        for group, word in (("own", "one"), ("shipped", "two"))
    }
    browser.set_groups(groups, [], [])
    window = Gtk.Window(default_width=500, default_height=500)
    window.add(browser)
    window.show_all()
    while Gtk.events_pending():
        Gtk.main_iteration()

    def chosen():
        return [style.name for style in browser.get()]

    clicked(browser._view, 1)
    assert chosen() == ["one1"], chosen()
    browser._sources.view = "shipped"
    clicked(browser._view, 0, Gdk.ModifierType.CONTROL_MASK)
    assert sorted(chosen()) == ["one1", "two0"], chosen()
    clicked(browser._view, 2, Gdk.ModifierType.CONTROL_MASK)
    assert sorted(chosen()) == ["one1", "two0", "two2"], chosen()
    clicked(browser._view, 0, Gdk.ModifierType.CONTROL_MASK)
    assert sorted(chosen()) == ["one1", "two2"], chosen()
    clicked(browser._view, 0)
    assert chosen() == ["two0"], chosen()
    window.destroy()


def browser_of(*names, changed=lambda: None):
    """A browser in a window with styles of these names, and its view of thumbnails."""
    from gi.repository import Gtk

    from choice.choice import StyleChoice
    from language.mnemonics import Mnemonics
    from widgets.style_browser import StyleBrowser

    browser = StyleBrowser(Mnemonics(), changed, lambda folder: None, lambda folder: None)
    styles = [StyleChoice(f"file:///{name}.jpg", name=name) for name in names]
    browser.set_groups({"own": styles}, [], [])
    window = Gtk.Window(default_width=500, default_height=500)
    window.add(browser)
    window.show_all()
    settle()
    return browser, browser._view


def settle():
    from gi.repository import Gtk

    while Gtk.events_pending():
        Gtk.main_iteration()


def names_in(view):
    return [row[2] for row in view.get_model()]


def case_styles_are_searched_without_accents_and_capitals():
    told = []
    browser, view = browser_of("Großes Café", "Sea at night", "Cafe by night", changed=lambda: 0)
    browser._changed = lambda: told.append([style.name for style in browser.get()])
    for words, found in (
        ("CAFE", ["Großes Café", "Cafe by night"]),
        ("night cafe", ["Cafe by night"]),
        ("grosses", ["Großes Café"]),
        ("xyz", []),
        ("", ["Großes Café", "Sea at night", "Cafe by night"]),
    ):
        browser._search.set_text(words)
        assert names_in(view) == found, (words, names_in(view))
        assert browser._nothing.get_visible() == (not found)
    browser._search.set_text("sea")
    browser._search.emit("activate")
    assert told == [["Sea at night"]]
    browser._search.set_text("cafe")
    assert [style.name for style in browser.get()] == ["Sea at night"], (
        "what is hidden stays chosen"
    )
    assert len(told) == 1
    browser._search.emit("stop-search")
    assert browser._search.get_text() == "" and len(names_in(view)) == 3


def star_of(view, index):
    """A point on the star of a thumbnail: x and y in the view."""
    from gi.repository import Gtk

    path = Gtk.TreePath.new_from_indices([index])
    while view.get_cell_rect(path, view._picture)[1].height < 2:  # until it is laid out anew
        Gtk.main_iteration()
    _, cell = view.get_cell_rect(path, view._picture)
    width, height = view._shelf.picture_size(view.get_model()[path][0])
    return cell.x + (cell.width + width) / 2 - 8, cell.y + (cell.height - height) / 2 + 8


def case_a_click_on_its_star_makes_a_style_a_favourite():
    told, kept = [], []
    browser, view = browser_of("a", "b", "c", changed=lambda: told.append(1))
    browser.star = lambda style, starred: kept.append((style.name, starred))
    plain = view.get_model()[1][1]
    pressed_at(view, *star_of(view, 1))
    assert kept == [("b", True)] and not told and not browser.get(), "a star chooses no style"
    assert view.get_model()[1][1] is not plain
    assert names_in(view) == ["a", "b", "c"], "nothing moves under the pointer"
    browser._sources.view = "favorites"
    assert names_in(view) == ["b"]
    browser._sources.view = "all"
    assert names_in(view) == ["b", "a", "c"]
    pressed_at(view, *star_of(view, 0))
    assert kept[-1] == ("b", False)
    browser._sources.view = "favorites"
    assert names_in(view) == [] and browser._nothing.get_visible()


def pressed_at(view, x, y):
    from gi.repository import Gdk, Gtk

    for kind in (Gdk.EventType.BUTTON_PRESS, Gdk.EventType.BUTTON_RELEASE):
        event = Gdk.Event.new(kind)
        event.button.window = view.get_window().get_children()[0]
        event.button.send_event, event.button.button = True, 1
        event.button.x, event.button.y = x, y
        event.set_device(view.get_display().get_default_seat().get_pointer())
        Gtk.main_do_event(event)
    settle()


def case_the_users_photo_takes_the_place_of_thumbnails_until_one_is_pointed_at():
    from gi.repository import GdkPixbuf

    browser, view = browser_of("a", "b")
    told = []
    browser.sampled = told.append
    pictures = []
    for color in (0xFF0000FF, 0x00FF00FF):
        pictures.append(GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, True, 8, 40, 30))
        pictures[-1].fill(color)
    style, sample = pictures

    def shown():
        return [row[1].read_pixel_bytes().get_data()[:4] for row in view.get_model()]

    for key in ("file:///a.jpg", "file:///b.jpg"):
        browser.set_picture(key, style)
    browser.set_sample("file:///b.jpg", sample)
    red, green = b"\xff\0\0\xff", b"\0\xff\0\xff"
    assert shown() == [red, red]
    browser._sampling.set_active(True)
    assert told == [True] and browser.shows_samples and shown() == [red, green]
    browser._shelf.point_at("file:///b.jpg")
    assert shown() == [red, red], "the style itself"
    browser._shelf.point_at("")
    browser.set_samples({"file:///a.jpg": sample})  # another photo
    assert shown() == [green, red]
    browser._sampling.set_active(False)
    assert told == [True, False] and shown() == [red, red]
    settle()
    assert browser.seen() == ["file:///a.jpg", "file:///b.jpg"]


LINES = """
import sys, time
sys.path.insert(0, sys.argv[2])
import widget_cases
from widgets.cutout import pixbuf
from gi.repository import Gdk, Gtk
browser, view = widget_cases.browser_of("wide", "high")
for name, width, height in (("wide", 168, 126), ("high", 90, 126)):
    row = b"\\xff\\0\\0\\xff\\0\\0\\xff\\xff" * (width // 2)
    browser.set_picture(f"file:///{name}.jpg", pixbuf(row * height, width, height))
red, blue = b"\\xff\\0\\0", b"\\0\\0\\xff"
def lines():
    window = view.get_toplevel().get_window()
    shot = Gdk.pixbuf_get_from_window(window, 0, 0, window.get_width(), window.get_height())
    data, n = shot.get_pixels(), shot.get_n_channels()
    rows = [data[k:k + shot.get_width() * n] for k in range(0, len(data), shot.get_rowstride())]
    pair = red + (b"\\xff" if n == 4 else b"") + blue
    return [row.count(pair) for row in rows]
ends = time.monotonic() + 60
while max(found := lines()) < 84 + 45 and time.monotonic() < ends:
    Gtk.main_iteration_do(False)
print(view.get_scale_factor(), max(found), sum(count > 0 for count in found))
"""


def case_at_twice_the_scale_thumbnails_have_the_screens_own_pixels():
    command = [sys.executable, "-c", LINES, sys.argv[1], str(Path(__file__).parent)]
    environment = {**os.environ, "GDK_SCALE": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["2", str(168 // 2 + 90 // 2), "126"], done


def case_samples_are_kept_for_the_photo_and_the_style_they_are_of():
    from gi.repository import GdkPixbuf

    from dialog.sample_store import SampleStore

    home = Path(os.environ["STYLEENGINE_HOME"])
    home.mkdir(exist_ok=True)
    style = home / "style.jpg"
    style.write_bytes(b"a style")
    picture = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, True, 8, 40, 30)
    picture.fill(0x00FF00FF)
    store = SampleStore(home / "samples")
    assert store.read("lake", style.as_uri()) is None
    store.write("lake", style.as_uri(), picture)
    kept = SampleStore(home / "samples").read("lake", style.as_uri())
    assert kept.read_pixel_bytes().get_data() == picture.read_pixel_bytes().get_data()
    assert store.read("portrait", style.as_uri()) is None
    assert store.read("lake", "file:///gone.jpg") is None
    (file,) = (home / "samples").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert (home / "samples").stat().st_mode & 0o777 == 0o700
    file.write_bytes(b"no picture")
    assert store.read("lake", style.as_uri()) is None
    style.write_bytes(b"another style")
    store.write("lake", style.as_uri(), picture)
    assert store.read("lake", style.as_uri()) is not None
    store.clear()
    assert not list((home / "samples").iterdir())


def case_what_was_used_lately_comes_newest_first():
    browser, view = browser_of("a", "b", "c")
    browser.set_groups({}, [], ["file:///c.jpg", "file:///a.jpg", "file:///gone.jpg"])
    assert names_in(view) == ["a", "b", "c"]
    browser._sources.view = "recent"
    assert names_in(view) == ["c", "a"]
    browser.set_recent(["file:///b.jpg", "file:///c.jpg", "file:///a.jpg"])
    assert names_in(view) == ["b", "c", "a"]
    browser._sources.view = "own"
    assert names_in(view) == ["a", "b", "c"]


def case_a_channel_is_chosen_to_hold():
    from gi.repository import Gtk

    from language.mnemonics import Mnemonics
    from widgets.hold_row import HoldRow

    told = []
    row = HoldRow(Mnemonics(), Gtk.SizeGroup(), lambda: told.append(row.get()))
    combo = row.get_children()[1]
    assert row.get() == "" and not combo.get_sensitive(), "there is nothing to choose from"
    row.set("Face")  # remembered from another image
    assert row.get() == ""
    row.set_channels(["Sky", "Face"])
    assert row.get() == combo.get_active_id() == "Face" and combo.get_sensitive()
    assert not told, "nobody has chosen anything"
    combo.set_active_id("Sky")
    combo.set_active_id("")
    assert told == ["Sky", ""], told
    combo.set_active_id("Sky")
    row.set_channels(["Face"])
    assert row.get() == combo.get_active_id() == "", "a channel that is gone holds nothing"


def answered(action, *answers):
    """The texts of the dialogs that ``action`` opens one after another, each given an answer: a
    name to type, or whether to agree. It hangs if there are more of them."""
    from gi.repository import GLib, Gtk

    asked, left = [], list(answers)

    def answer():
        dialogs = [w for w in Gtk.Window.list_toplevels() if isinstance(w, Gtk.Dialog)]
        shown = [dialog for dialog in dialogs if dialog.get_visible()]
        if shown and left:
            dialog, said = shown[-1], left.pop(0)
            asked.append(dialog.get_property("text") if isinstance(said, bool) else said)
            if not isinstance(said, bool):
                dialog.get_content_area().get_children()[0].set_text(said)
            agreed = Gtk.ResponseType.OK if said else Gtk.ResponseType.CANCEL
            dialog.response(agreed)
        return bool(left)

    GLib.timeout_add(20, answer)
    action()
    assert not left, left
    return asked


def presets_in_a_row(own, chosen):
    """A row of presets in a window, its list, and its buttons to save and to delete."""
    from gi.repository import Gtk

    from choice.kept import Presets
    from language.mnemonics import Mnemonics
    from widgets.preset_row import PresetRow

    row = PresetRow(Mnemonics(), Presets(Path(CONTEXT["plugin"]) / "presets.json", own), chosen)
    Gtk.Window().add(row)
    _, combo, save, delete = row.get_children()
    return row, combo, save, delete


def case_the_list_of_presets_shows_which_one_the_settings_are():
    from protocol import Settings

    now = [Settings(preset="best", size=800)]

    def chosen(settings):
        now.append(settings)
        row.compare(settings)

    own = Path(os.environ["STYLEENGINE_HOME"]) / "no-presets.json"
    row, combo, _, _ = presets_in_a_row(own, chosen)
    row.get_settings = lambda: now[-1]
    row.compare(now[-1])
    assert combo.get_active_text() == "Defaults", "quality and size are no look"
    now.append(Settings(strength=61.5, preset="best", size=800))
    row.compare(now[-1])
    assert combo.get_active_text() == "Custom"
    combo.set_active_id("shipped:Fine brush")
    assert (now[-1].style_scale, now[-1].strength) == (65.0, 50.0)
    assert (now[-1].preset, now[-1].size) == ("best", 800)
    assert combo.get_active_text() == "Fine brush"
    combo.set_active_id("custom")
    assert now[-1] == Settings(strength=61.5, preset="best", size=800), "a look at presets is free"
    assert combo.get_active_text() == "Custom"


def case_saving_over_a_preset_and_deleting_one_ask():
    from protocol import Settings

    own = Path(os.environ["STYLEENGINE_HOME"]) / "own-presets.json"
    row, combo, save, delete = presets_in_a_row(own, lambda settings: None)
    kept = lambda: json.loads(own.read_text())  # noqa: E731
    row.get_settings = lambda: Settings(strength=61.5)
    assert not delete.get_sensitive()
    answered(save.clicked, "Mine")
    assert kept() == {"Mine": {"strength": 61.5}} and combo.get_active_text() == "Mine"
    row.get_settings = lambda: Settings(strength=70.0)
    for name, agreed in (("Mine", False), ("Fine brush", False)):
        _, question = answered(save.clicked, name, agreed)
        assert name in question and kept() == {"Mine": {"strength": 61.5}}
    answered(save.clicked, "Mine", True)
    assert kept() == {"Mine": {"strength": 70.0}}
    assert "Mine" in answered(delete.clicked, False)[0] and "Mine" in kept()
    answered(delete.clicked, True)
    assert kept() == {} and combo.get_active_text() == "Custom" and not delete.get_sensitive()


def case_what_is_seen_of_a_large_picture_is_read_once():
    from gi.repository import Gtk

    from widgets.cutout import pixbuf
    from widgets.picture_pane import Pane

    read = []

    def spot(x, y, width, height, scale):
        read.append((x, y, width, height, scale))
        return bytes(4 * width * height)

    window = Gtk.Window(default_width=200, default_height=200)
    pane = Pane(lambda: None)
    window.add(pane)
    window.show_all()
    while Gtk.events_pending():
        Gtk.main_iteration()
    small = pixbuf(bytes(4 * 60 * 40), 60, 40)
    pane.show_original(small, (3000, 2000), spot)
    seen = len(read)
    pane.draw()
    pane.divide(True)
    pane.show_painted(small)  # beside it, as each picture so far
    assert seen == 1 and len(read) == 1, read
    pane.zoom(1.0)
    pane.draw()
    again = len(read)
    assert again > 1 and len(set(read)) == again, read
    pane.show_original(small, (3000, 2000), spot)
    assert len(read) == again + 1, "another picture"


def case_the_brush_has_a_unit():
    from gi.repository import Gtk

    from language.mnemonics import Mnemonics
    from protocol import Settings
    from widgets.brush_unit import BrushUnit
    from widgets.settings_panel import SettingsPanel

    def within(widget):
        yield widget
        if isinstance(widget, Gtk.Container):
            for child in widget.get_children():
                yield from within(child)

    told = []
    panel = SettingsPanel(Mnemonics(), lambda: told.append(panel.get()))
    (brush,) = (w for w in within(panel) if isinstance(w, BrushUnit))
    unit = next(w for w in within(brush) if isinstance(w, Gtk.ComboBoxText))
    stack = next(w for w in within(brush) if isinstance(w, Gtk.Stack))
    assert panel.get() == Settings() and stack.get_visible_child_name() == "%"
    panel.set(Settings(brush_mm=3.5, style_scale=80.0))
    assert panel.get() == Settings(brush_mm=3.5, style_scale=80.0) and not told
    assert stack.get_visible_child_name() == unit.get_active_id() == "mm"
    unit.set_active_id("%")
    assert told[-1] == Settings(style_scale=80.0) and stack.get_visible_child_name() == "%"
    unit.set_active_id("mm")
    assert told[-1].brush_mm == 3.5 and len(told) == 2


def thumbnails(count, **given):
    from widgets.cutout import pixbuf
    from widgets.history_bar import Thumbnail

    picture = pixbuf(bytes(4 * 6 * 4), 6, 4)
    return [Thumbnail(k, picture, f"Result {k}", **given) for k in range(count)]


def case_a_click_shows_a_result_and_its_menu_has_the_rest():
    from gi.repository import Gtk

    from widgets.history_bar import HistoryBar

    told = []
    bar = HistoryBar(lambda action, entry: told.append((action, entry)))
    window = Gtk.Window(default_width=500, default_height=200)
    window.add(bar)
    window.show()
    assert not bar.get_visible(), "there is nothing yet"
    bar.show_entries(thumbnails(3))
    _first, second, third = bar._box.get_children()
    assert bar.get_visible() and second.get_accessible().get_name() == "Result 1"
    second.clicked()
    assert told == [("show", 1)], told
    third.grab_focus()
    assert third.emit("popup-menu"), "the key for it opens a menu"
    menu = Gtk.Menu.get_for_attach_widget(third)[0]
    assert menu.get_visible()
    for item in menu.get_children():
        item.activate()
    actions = ["show", "use", "insert", "compare", "forget"]
    assert told[1:] == [(action, 2) for action in actions], told
    bar.show_entries(thumbnails(2, is_whole=False))
    assert bar._box.get_children()[1].is_focus(), "the keyboard stays where it was"
    menu = Gtk.Menu.get_for_attach_widget(bar._box.get_children()[0])[0]
    assert [item.get_sensitive() for item in menu.get_children()] == [True, True, False, True, True]
    bar.show_entries([])
    assert not bar.get_visible()
    window.destroy()


def case_the_last_touch_is_told_when_the_user_gives_it():
    from language.mnemonics import Mnemonics
    from pixels import last_touch
    from widgets.last_touch import MODES, LastTouch

    assert set(MODES) == set(last_touch.MODES)
    told = []
    controls = LastTouch(Mnemonics(), lambda: told.append(controls.get()))
    controls.show_layer(40.0, "multiply")
    assert controls.get() == (40.0, "multiply") and not told, "nobody has moved anything"
    controls._opacity.set_value(70)
    controls._mode.set_active_id("screen")
    assert told == [(70.0, "multiply"), (70.0, "screen")], told
    controls.show_layer(70.0, "")  # a mode that GIMP has, and the list has not
    assert controls.get() == (70.0, "") and len(told) == 2


def case_the_row_of_the_subject_offers_paintings_only_if_there_are_any():
    from language.mnemonics import Mnemonics
    from widgets.subject_row import SubjectRow

    told = []
    row = SubjectRow(Mnemonics(), told.append)
    row.say("Paints: astronaut.png")
    label, instead = row.get_children()
    assert label.get_text() == "Paints: astronaut.png" and not instead.get_visible()
    row.offer(True)
    assert instead.get_visible()
    instead.set_active(True)
    assert told == [True]


def main():
    server = start_display(800, 600)
    answers = {}
    try:
        for name, case in list(globals().items()):
            if name.startswith("case_"):
                try:
                    case()
                    answers[name] = ""
                except Exception:
                    answers[name] = traceback.format_exc()
    finally:
        server.kill()
        server.wait()
    Path(CONTEXT["answer"]).write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
