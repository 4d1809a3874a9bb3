"""Layers painted without a dialog: from scripts, Ctrl+F and in batch."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from gi.repository import Gimp

from engine.client import start
from engine.job import Job, State
from engine.lives import Parent
from engine.request import Request
from pixels.canvas import HiddenCanvas
from pixels.inserting import insert
from pixels.layers import closing, on_paper, open_source
from pixels.notes import result_name, style_note
from pixels.style_pictures import load_hold, load_styles

PLUGIN_DIR = Path(__file__).resolve().parent


POLL_S = 0.1


SERIES = "layers"  # with one engine for all of them there is no other


GIMP = Parent()


class Dismissed(Exception):
    """The user has closed the dialog, or the engine has dropped the run."""


def paint_all(run_mode, image, groups, choice, steady=False):
    """Paints one layer after the other with one engine, without a dialog; returns the last.

    ``steady`` ones are painted each as the one before, moved as the picture has moved.

    The new layers come when all are painted, in one step of the image's undo; if one fails, those
    before it come all the same.
    """
    with contextlib.ExitStack() as stack:
        client, painted = None, []
        try:
            for drawables in groups:
                source = open_source(image, drawables)
                reader, canvas = source.reader(), HiddenCanvas(source.seen)
                stack.callback(canvas.discard)
                stack.callback(source.close)
                styles = load_styles(choice.styles, image, source.layer, source.seen, False)
                hold = load_hold(choice.hold, image, source.layer, source.seen, False)
                settings = closing(choice.settings, source.layer, source.seen)
                dpi, strips = on_paper(image, source.seen, reader.spec), reader.strips()
                request = Request(
                    settings,
                    reader.spec,
                    strips,
                    styles,
                    series=SERIES if steady else "",
                    hold=hold,
                    dpi=dpi,
                    steady=steady,
                )
                client = client or stack.enter_context(start(PLUGIN_DIR, os.environ))
                follow(Job(client, request, canvas, poll_s=POLL_S), client)
                painted.append((source, canvas))
        finally:
            layers = insert_all(run_mode, image, painted, choice)
    Gimp.displays_flush()
    return layers[-1]


def insert_all(run_mode, image, painted, choice):
    """The new layers of the pictures that are ``painted``, (source, canvas) each."""
    grouped = len(painted) > 1 and image.is_valid()
    if grouped:
        image.undo_group_start()
    try:
        layers = []
        for source, canvas in painted:
            name = result_name(source.subject, choice.styles)
            shown = run_mode != Gimp.RunMode.NONINTERACTIVE
            new = insert(source, canvas, name, style_note(choice, source.layer), shown)
            canvas.discard()
            source.close()
            layers.append(new.layer)
            if new.remark:
                Gimp.message(new.remark)
        inside = [each for each in layers if each.get_image() == image]
        if grouped and inside:
            image.set_selected_layers(inside)
    finally:
        if grouped and image.is_valid():
            image.undo_group_end()
    return layers


def follow(job, client):
    """Sees the job through with GIMP's own progress bar, whose Cancel kills this process."""
    shown = job.text
    Gimp.progress_init(shown)
    while not job.is_finished:
        job.advance()
        if GIMP.is_gone:  # no call of it could return, and no exit handler may call it
            client.kill()
            os._exit(1)
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
