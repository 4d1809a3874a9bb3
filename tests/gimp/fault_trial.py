"""One row of the fault suite in GIMP, from within the root: reaches the moment, does it, looks."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time

from display import press, window, xdotool
from fault_bench import until
from fault_files import HOSTILE, SAYS, clear, prepare

SUCCESS = 3
SIZE = 200  # no preview or sample has it


class Trial:
    """A row, its image, and what the user had before."""

    def __init__(self, bench, row):
        self.bench, self.row = bench, row
        self.in_dialog = row.where == "dialog"
        self.closed = self.mounted = self.apart = False

    # --- up to the moment ----------------------------------------------------------------------

    def run(self):
        """Does all of it; seconds until the processes were gone."""
        bench, row = self.bench, self.row
        bench.start()
        bench.editing.ask("delete_all()")
        bench.said.unlink(missing_ok=True)
        since = bench.log.stat().st_size
        bench.order(
            **({} if row.moment == "idle" else {"hold": row.moment}),
            **({"deaf": "yes"} if "deaf" in row.fault else {}),
        )
        settings = {"size": SIZE, "style": bench.style.as_uri()}
        (bench.home / "gimp-settings.json").write_text(json.dumps(settings))
        size = "LARGE" if row.moment == "pixels" else "SMALL"
        made = bench.editing.ask(f"answer = new_image({size}, {self.in_dialog})")
        self.image, self.layer = made
        if row.fault in HOSTILE:
            prepare(row.fault, bench.home)
            if HOSTILE[row.fault] is None:
                says = json.dumps(SAYS)
                bench.editing.ask(f"strange({self.image}, {self.layer}, {says!r})")
        self.before = self.snapshot()
        self.begin()
        self.plug_in, self.engine = bench.plug_ins(), bench.engine()
        try:
            self.inject()
            seconds = self.settle()
        finally:
            if self.mounted:
                for folder in self.mounted:
                    subprocess.run(["umount", "-l", str(folder)], check=True)
            if row.fault in HOSTILE:
                clear(bench.home)
        seconds = max(seconds, self.follow())
        complaints = bench.complaints(since) if "killed" not in row.fault else []
        assert not complaints, complaints
        return seconds

    def snapshot(self):
        return self.bench.editing.ask("answer = snapshot()")

    def begin(self):
        bench = self.bench
        style = {} if self.in_dialog else {"style": str(bench.style), "size": SIZE}
        call = f"answer = run({self.image}, {self.layer}, {self.in_dialog}, **{style!r})"
        bench.running.begin(call)
        if not self.in_dialog:
            until(bench.at, "the moment")
            return
        until(self.dialog, "the dialog")
        if self.row.moment == "greeting":
            until(bench.at, "the greeting")
            return
        until(lambda: "preview" in self.runs(), "the preview")
        if self.row.fault in HOSTILE:
            return
        self.paint()
        if self.row.moment == "idle":
            until(lambda: self.count() == 3, "the result")
            self.before = self.snapshot()
            bench.editing.ask("[each.clean_all() for each in users()]")
        else:
            until(bench.at, "the moment")

    def dialog(self):
        return window("^Neural Style Transfer$")

    def runs(self):
        path = self.bench.orders / "runs"
        return path.read_text() if path.exists() else ""

    def count(self):
        """How many layers the user has."""
        return sum(counted(image["layers"]) for image in self.snapshot())

    def paint(self):
        """Presses Paint until the engine has heard of it."""
        before = self.runs().count("painting")

        def heard():
            press(until(self.dialog, "the dialog"), "alt+p")
            end = time.monotonic() + 3
            while time.monotonic() < end:
                if self.runs().count("painting") > before or self.bench.at():
                    return True
                time.sleep(0.05)
            return False

        until(heard, "the painting to begin")

    # --- the fault -----------------------------------------------------------------------------

    def inject(self):
        fault, bench = self.row.fault, self.bench
        target = {"engine": [self.engine], "plug-in": self.plug_in, "GIMP": [bench.gimp.pid]}
        if fault in HOSTILE:
            for text in bench.told():
                check_words(text)
            until(self.escaped, "the dialog to close")
            return
        who, _, what = fault.partition(" ")
        if what in ("killed", "killed, engine deaf"):
            signalled(target[who], signal.SIGKILL)
        elif what == "ends":
            signalled(target[who], signal.SIGTERM)
        elif what == "stopped":
            signalled(target[who], signal.SIGSTOP)
        elif what == "stopped for a while":
            signalled(target[who], signal.SIGSTOP)
            bench.let_go()
            # GIMP is not asked anything meanwhile: it waits for one that was stopped amid a tile.
            time.sleep(0.5)  # what was under way has come to a halt
            signalled(target[who], signal.SIGCONT)
        elif fault.endswith("full"):
            self.fill()
            bench.let_go()
        elif fault.startswith("cancelled"):
            if "stopped" in fault:
                signalled([self.engine], signal.SIGSTOP)
            press(self.dialog(), "Escape")
            bench.let_go()
        elif fault == "window closed":
            self.close_window()
        else:
            self.edit(fault)
            bench.let_go()

    def close_window(self):
        """As the window manager does it; of a painting under way the dialog asks."""
        before = self.windows()
        press(self.dialog(), "alt+F4")

        def gone():
            if self.dialog() and self.windows() - before:
                xdotool("key", "alt+l")
                time.sleep(0.3)  # no second one while the first is at work
            return not self.dialog()

        until(gone, "the dialog to close")

    @staticmethod
    def windows():
        return set(xdotool("search", "--onlyvisible", "--name", ".*"))

    def escaped(self):
        """Whether Escape has closed the dialog."""
        if target := self.dialog():
            press(target, "Escape")
        return not target

    def edit(self, name):
        if name == "undone":  # which no procedure does
            press(until(lambda: window(" – GIMP$"), "GIMP's window"), "ctrl+z")
            until(lambda: self.snapshot() != self.before, "the undo")
            self.bench.editing.ask("[each.clean_all() for each in users()]")
        else:
            self.bench.editing.ask(f"edit({name!r}, {self.image}, {self.layer})")
        self.closed = name == "image closed"
        self.before = [] if self.closed else self.snapshot()

    def fill(self):
        bench, fault = self.bench, self.row.fault
        self.mounted = [bench.home] * ("temporary" not in fault)
        self.mounted += [bench.temporary] * ("plug-in" not in fault)
        for folder in self.mounted:
            tiny = ["mount", "-t", "tmpfs", "-o", "size=4k,mode=777", "none", str(folder)]
            subprocess.run(tiny, check=True)
            with contextlib.suppress(OSError), open(folder / "filler", "wb", 0) as filler:
                filler.write(bytes(8192))

    # --- what holds ----------------------------------------------------------------------------

    def settle(self):
        """What the row says; seconds until the processes were gone that should be."""
        bench = self.bench
        holds, _, words = self.row.holds.partition(": ")
        ours = [*self.plug_in, self.engine]
        if holds == "ended":
            seconds = bench.gone_after(ours)
            self.ended()
            return seconds
        if holds == "closed" or not self.in_dialog:
            status, text = bench.running.end()
            seconds = bench.gone_after(ours)
            if holds == "result":
                assert status == SUCCESS and text is True, (status, text)
            elif holds == "sentence":
                assert status != SUCCESS, status
                check_sentence(text, words)
        else:
            seconds = self.settle_dialog(holds, words)
        self.check_layers(holds)
        return seconds

    def ended(self):
        """The plug-in is gone, and perhaps GIMP with it."""
        if self.row.fault.startswith("GIMP"):
            self.bench.stop()
            return
        status, _text = self.bench.running.end()
        assert status != SUCCESS
        self.check_layers("nothing")

    def settle_dialog(self, holds, words):
        bench, seconds = self.bench, 0.0
        if holds == "sentence":
            until(bench.told, "a sentence")
            seconds = bench.gone_after([self.engine])
            told = bench.told()
            assert len(told) == 1, told
            check_sentence(told[0], words)
        elif holds == "result":
            # An image of its own has the layer that was painted, too.
            before = sum(counted(image["layers"]) for image in self.before)
            if self.row.moment not in ("idle", "greeting"):
                until(lambda: self.count() > before, "the result")
            assert not bench.told(), bench.told()
        return seconds

    def check_layers(self, holds):
        bench = self.bench
        now = self.snapshot()
        asked = not self.in_dialog or self.row.moment not in ("idle", "greeting")
        if holds == "result" and asked:
            dirty = "answer = any(each.is_dirty() for each in users())"
            until(lambda: bench.editing.ask(dirty), "the step that can be undone")
            known = {image["id"] for image in self.before}
            new = [image for image in now if image["id"] not in known]
            assert all(is_ours(image) for image in new), new
            self.apart = bool(new)
            now = [without_ours(image) for image in now if image["id"] in known]
            assert now == [without_ours(image) for image in self.before], (now, self.before)
            return
        if self.closed and now and all(map(is_ours, now)):
            return  # it was done already, and is in an image of its own
        assert now == self.before, (now, self.before)
        # What was not done cannot be undone, either.
        dirty = bench.editing.ask("answer = [each.is_dirty() for each in users()]")
        assert not any(dirty), dirty

    def follow(self):
        """The same dialog paints, as long as it is there; so does a script, and nothing is left."""
        bench, seconds = self.bench, 0.0
        if self.in_dialog and self.row.holds != "ended" and self.dialog():
            seconds = self.go_on_in_dialog()
        bench.order()
        bench.start()
        bench.editing.ask("delete_all()")
        image, layer = bench.editing.ask("answer = new_image(SMALL, False)")
        before = self.snapshot()
        call = f"answer = run({image}, {layer}, False, style={str(bench.style)!r}, size={SIZE})"
        status, text = bench.running.ask(call)
        assert (status, text) == (SUCCESS, True), text
        assert bench.editing.ask(f"answer = is_inverse({image}, {layer})")
        now = [each for each in self.snapshot() if each["id"] == image]
        assert [without_ours(each) for each in now] == before
        assert bench.editing.ask("answer = hidden()") == 0, "a hidden image is left"
        seconds = max(seconds, bench.gone_after([*bench.plug_ins(), *bench.engines()]))
        return seconds

    def go_on_in_dialog(self):
        bench = self.bench
        self.undone()
        if self.row.moment == "greeting" or self.row.fault not in EDITS_NAMES:
            bench.order()
            if (self.row.moment, self.row.fault) == ("idle", "engine stopped"):
                until(lambda: press(self.dialog(), "alt+p") or bench.told(), "a sentence")
                check_sentence(bench.told()[-1], "answer")
            bench.said.unlink(missing_ok=True)
            before = self.count()
            self.paint()
            until(lambda: self.count() > before, "another painting")
            assert not bench.told(), bench.told()
        bench.let_go()
        left = [*bench.plug_ins(), *bench.engines()]

        self.close_window()
        bench.running.end()
        return bench.gone_after(left)

    def undone(self):
        """One undo takes a result back that is in the image."""
        if self.row.holds != "result" or self.row.moment in ("idle", "greeting"):
            return
        if self.closed or self.apart:
            return
        target = until(lambda: window(" – GIMP$"), "GIMP's window")
        press(target, "ctrl+z")
        until(lambda: self.snapshot() == self.before, "the undo")
        dirty = self.bench.editing.ask("answer = [each.is_dirty() for each in users()]")
        assert not any(dirty), "more than one step"


EDITS_NAMES: set[str] = set()


def counted(layers):
    """How many layers these are, groups and those in them included."""
    return sum(1 + counted(layer["children"]) for layer in layers)


def is_ours(image):
    """Whether it was made for a result, whose own image was closed or has a palette."""
    return without_ours(image) != image


def without_ours(image):
    """The image as it was without our layers."""

    def kept(layers):
        return [
            {**layer, "children": kept(layer["children"])} for layer in layers if not layer["ours"]
        ]

    return {**image, "layers": kept(image["layers"])}


def check_sentence(text, words):
    assert isinstance(text, str) and words in text, (text, words)
    check_words(text)
    assert len(text.splitlines()) in (1, 2) and text[0].isupper(), text


def check_words(text):
    for bad in ("Traceback", "unexpected", "{", "None"):
        assert bad not in text, text


def signalled(pids, number):
    for pid in pids:
        os.kill(pid, number)
