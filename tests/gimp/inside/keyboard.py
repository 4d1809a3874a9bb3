"""Within our plug-in: what the keyboard reaches, and what a screen reader calls it."""

from gi.repository import Atk, GLib, Gtk

PASSED = Gtk.ScrolledWindow, Gtk.Viewport, Gtk.Label
"""What can have the focus only for what is in it, or to select text."""
_tour, _handlers = [], []


def dialog():
    return next(w for w in Gtk.Window.list_toplevels() if w.get_role() == "neural-style")


def everything(widget):
    yield widget
    if isinstance(widget, Gtk.Container):
        children = []
        widget.forall(children.append)
        for child in children:
            yield from everything(child)


def control(widget):
    """The widget, or the list whose button it is: what a screen reader takes to have the focus."""
    around = widget.get_ancestor(Gtk.ComboBox) if isinstance(widget, Gtk.ToggleButton) else None
    return around or widget


def name(widget):
    """What a screen reader calls it: its own name, or that of the label for it."""
    accessible = control(widget).get_accessible()
    relations = accessible.ref_relation_set()
    labels = []
    if relations.contains(Atk.RelationType.LABELLED_BY):
        labels = relations.get_relation_by_type(Atk.RelationType.LABELLED_BY).get_target()
    own = accessible.get_name() or ""
    if isinstance(control(widget), Gtk.ComboBoxText) and own == control(widget).get_active_text():
        own = ""  # what is chosen does not say what it is for
    return next((text for text in (*(label.get_name() for label in labels), own) if text), "")


def stops():
    """What the keyboard has to reach, as far as it is there now."""
    return [
        widget
        for widget in everything(dialog())
        if widget.get_can_focus() and widget.get_mapped() and widget.is_sensitive()
        and not isinstance(widget, (*PASSED, Gtk.Window))
    ]  # fmt: skip


def nameless():
    """Controls that a screen reader has no words for, also those that cannot be used now."""
    return [
        str(widget)
        for widget in everything(dialog())
        if widget.get_can_focus() and widget.get_visible() and not name(widget)
        and not isinstance(widget, (*PASSED, Gtk.Window))
    ]  # fmt: skip


def messages():
    """What lies over the picture."""
    bars = [w for w in everything(dialog()) if isinstance(w, Gtk.InfoBar) and w.get_mapped()]
    parts = [part for bar in bars for part in everything(bar) if isinstance(part, Gtk.Label)]
    return [part.get_text() for part in parts if part.get_mapped()]


def place_of(label):
    """The middle of a button, or of a slider, in the dialog."""
    window = dialog()
    found = next(w for w in everything(window) if w.get_mapped() and called(w) == label)
    width, height = found.get_allocated_width(), found.get_allocated_height()
    return found.translate_coordinates(window, width // 2, height // 2)


def called(widget):
    """What stands on a button or before a slider; None for others."""
    if isinstance(widget, Gtk.Button):
        return (widget.get_label() or "").replace("_", "")
    return name(widget) if isinstance(widget, Gtk.Scale) else None


def begin():
    """Remembers from now on where the focus goes, and whether that can be seen."""
    _tour.clear()
    window = dialog()
    if _handlers:
        window.disconnect(_handlers.pop())

    def moved(_window, widget):
        if widget is not None:
            GLib.timeout_add(20, look, widget)

    def look(widget):
        _tour.append((widget, in_sight(widget) and window.get_focus_visible()))
        return False

    _handlers.append(window.connect("set-focus", moved))


def in_sight(widget):
    """Whether the widget is not scrolled away."""
    scroller = widget.get_ancestor(Gtk.ScrolledWindow)
    outer = scroller.get_parent().get_ancestor(Gtk.ScrolledWindow) if scroller else None
    scroller = outer or scroller
    if scroller is None or scroller is widget:
        return True
    _x, y = widget.translate_coordinates(scroller, 0, 0)
    height = min(widget.get_allocated_height(), 60)
    return y >= -2 and y + height <= scroller.get_allocated_height() + 2


def told():
    """Where the focus has been, by name and in that order; what it has not reached; and what could
    not be seen when it had the focus."""
    been = [control(widget) for widget, _seen in _tour]
    return {
        "order": [name(widget) for widget in been],
        "missed": [name(w) or str(w) for w in stops() if control(w) not in been],
        "unseen": [name(widget) for widget, seen in _tour if not seen],
        "stops": len(stops()),
        "default": name(dialog().get_default_widget()),
    }
