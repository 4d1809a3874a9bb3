"""The set-up page as widgets: what goes where, the choice of PyTorch, the bar, what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gi.repository import Gtk, Pango

from language.texts import _

WIDTH_CHARS = 68


class SetupView(Gtk.Box):
    """Three parts of which the dialog shows what is needed: text, plan, course."""

    def __init__(self) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=12, border_width=12)
        self.heading = _label()
        self.about = _label()
        self.plan = Plan()
        self.course = Course()
        self.problem = Gtk.InfoBar(message_type=Gtk.MessageType.ERROR, no_show_all=True)
        self._problem_text = _label(selectable=True)
        self._problem_text.show()
        self.problem.get_content_area().add(self._problem_text)
        for part in (self.heading, self.about, self.problem, self.plan, self.course):
            self.pack_start(part, part is self.course, part is self.course, 0)

    def say(self, heading: str, about: str = "") -> None:
        """The sentence at the top, and what explains it."""
        attributes = Pango.AttrList()
        attributes.insert(Pango.attr_weight_new(Pango.Weight.BOLD))
        attributes.insert(Pango.attr_scale_new(1.2))
        self.heading.set_attributes(attributes)
        self.heading.set_text(heading)
        self.about.set_text(about)
        self.about.set_visible(bool(about))

    def show_problem(self, text: str) -> None:
        """A sentence and the next step; "" takes it away."""
        self._problem_text.set_text(text)
        self.problem.set_visible(bool(text))


class Plan(Gtk.Grid):
    """What a set-up would do. `backend` and `wants_network` are the user's choices."""

    def __init__(self) -> None:
        super().__init__(row_spacing=6, column_spacing=12, no_show_all=True)
        self._rows = 0
        self.where = self._row(_("Folder"))
        self.space = self._row(_("Disk space"))
        self.card = self._row(_("Graphics card"))
        self._builds = Gtk.ComboBoxText(hexpand=True)
        self._add(_("PyTorch"), self._builds)
        self._network = Gtk.CheckButton(
            label=_("Download the pretrained network, too (80 MB, paints finer pictures)"),
            active=True,
        )
        self.attach(self._network, 1, self._rows, 1, 1)
        self.show_all()
        self.set_no_show_all(True)

    def _row(self, name: str) -> Gtk.Label:
        value = _label(selectable=True)
        self._add(name, value)
        return value

    def _add(self, name: str, value: Gtk.Widget) -> None:
        label = Gtk.Label(label=name, xalign=1.0, yalign=0.0)
        label.get_style_context().add_class("dim-label")
        value.get_accessible().set_name(name)
        self.attach(label, 0, self._rows, 1, 1)
        self.attach(value, 1, self._rows, 1, 1)
        for each in (label, value):
            each.show()
        self._rows += 1

    def offer(self, builds: Sequence[tuple[str, str]], network: bool) -> None:
        """The builds of PyTorch (name, text) to choose from, and whether the network is missing."""
        self._builds.remove_all()
        for name, text in builds:
            self._builds.append(name, text)
        self._builds.set_active(0)
        self._builds.set_sensitive(len(builds) > 1)
        self._network.set_visible(network)

    def on_build(self, action: Callable[[], None]) -> None:
        """Calls ``action`` when another build is chosen."""
        self._builds.connect("changed", lambda _combo: action())

    @property
    def backend(self) -> str:
        """The chosen build's name."""
        return self._builds.get_active_id() or "auto"

    @property
    def wants_network(self) -> bool:
        """Whether the network shall be downloaded."""
        return self._network.get_visible() and self._network.get_active()


class Course(Gtk.Box):
    """The bar, and the lines of the details."""

    def __init__(self) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=6, no_show_all=True)
        self.bar = Gtk.ProgressBar(show_text=True, ellipsize=Pango.EllipsizeMode.END)
        self._lines = Gtk.TextView(editable=False, cursor_visible=False, monospace=True)
        self._lines.set_wrap_mode(Gtk.WrapMode.WORD_CHAR)
        scroller = Gtk.ScrolledWindow(min_content_height=140, shadow_type=Gtk.ShadowType.IN)
        scroller.add(self._lines)
        self.details = Gtk.Expander(label=_("Details"))
        self.details.add(scroller)
        self.pack_start(self.bar, False, False, 0)
        self.pack_start(self.details, True, True, 0)
        for each in (self.bar, self._lines, scroller, self.details):
            each.show()

    def show_step(self, fraction: float, text: str) -> None:
        """How far it is."""
        self.bar.set_fraction(fraction)
        self.bar.set_text(text)

    def show_lines(self, lines: Sequence[str]) -> None:
        """What was said so far."""
        buffer = self._lines.get_buffer()
        text = "\n".join(lines)
        if buffer.get_property("text") != text:
            buffer.set_text(text)
            self._lines.scroll_to_iter(buffer.get_end_iter(), 0.0, False, 0.0, 0.0)


def _label(selectable: bool = False) -> Gtk.Label:
    label = Gtk.Label(
        xalign=0.0, wrap=True, selectable=selectable, max_width_chars=WIDTH_CHARS, hexpand=True
    )
    label.set_line_wrap_mode(Pango.WrapMode.WORD_CHAR)
    label.set_can_focus(False)
    return label
