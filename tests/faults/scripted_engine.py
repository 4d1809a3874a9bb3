"""The scripted engine: files in its folder say where it waits and how it lies.

`scripted_engine.py DIR`: ``DIR/hold`` names a moment of a painting (previews pass): the engine
writes ``DIR/at`` there, and goes on when there is ``DIR/go``; with ``DIR/deaf`` it says nothing
meanwhile, and does not mind the end of its input. ``DIR/lie`` names one of `lies.LIES`.
``DIR/pid`` is its process, ``DIR/runs`` has a line for each run.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

# ruff: noqa: E402

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import fake_engine
import lies
from fake_engine import MESSAGES, protocol, say

FOLDER = Path(sys.argv[1])
SAMPLE_PX = 192
NEGATIVE = bytes(255 - value for value in range(256))


def told(name):
    """What a file in the folder says, "" if there is none."""
    try:
        return (FOLDER / name).read_text()
    except FileNotFoundError:
        return ""


def hold(moment, speak=True):
    """Waits at this moment, if it is the one, and says that it lives meanwhile."""
    if told("hold") != moment:
        return
    (FOLDER / "at.part").write_text(moment)
    os.replace(FOLDER / "at.part", FOLDER / "at")
    while told("hold") == moment and not (FOLDER / "go").exists():
        if speak and not told("deaf"):
            try:
                say("alive")
            except OSError:  # nobody listens any more
                os._exit(0)
        time.sleep(0.1)


def lie(moment, *context):
    """Tells the lie that belongs to this moment, if one was asked for, and what must come of it."""
    name = told("lie")
    if not name or lies.LIES[name].moment != moment:
        return ""
    lies.LIES[name].tell(sys.stdout.buffer, *context)
    return lies.LIES[name].holds


def read_stdin():
    while True:
        frame = protocol.read_frame(sys.stdin.buffer)
        if frame is None and not told("deaf"):
            os._exit(0)
        if frame is None:
            return
        MESSAGES.put(frame)
        if frame[0]["type"] == "run" and is_painting(frame[0]):
            hold("pixels")


def is_painting(header):
    return header["settings"].get("size") not in (protocol.PREVIEW_PX, SAMPLE_PX)


def negative(data):
    out = bytearray(data.translate(NEGATIVE))
    out[3::4] = data[3::4]
    return bytes(out)


def stopped(run):
    """Whether the run is not wanted any more."""
    while not MESSAGES.empty():
        header, _ = MESSAGES.get()
        if header["type"] == "stop" and header["id"] == run:
            if not header["keep"]:
                say("cancelled", id=run)
                return True
            return False
        if header["type"] == "run":
            MESSAGES.put((header, _))
            return False
    return False


def paint(header, spec, content):
    run, real = header["id"], is_painting(header)
    with open(FOLDER / "runs", "a") as runs:
        print(run, "painting" if real else "preview", file=runs)
    say("progress", id=run, stage="prepare", scale=1, scales=1, step=0, steps=3)
    if real:
        hold("weights")
    for step in range(1, 4):
        fake_engine.progress(run, step)
    if real:
        hold("painting")
    if stopped(run) or (real and lie("painting", run, spec) in ("sentence", "cancelled")):
        return
    data = negative(content)
    fake_engine.send_preview(run, spec, content, header.get("preview"))
    lied = lie("result", run, spec) if real else ""
    if lied == "sentence":
        return
    if not lied:
        say("result", id=run, width=spec.width, height=spec.height, dtype="u8", seconds=0.1,
            settings={}, features="none", device="cpu")  # fmt: skip
    if real:
        hold("result")
        if lie("strip", run, spec):
            return
    strips = list(spec.strips())
    for number, (y, rows) in enumerate(strips):
        strip = data[y * spec.row_bytes : (y + rows) * spec.row_bytes]
        if real and number == len(strips) - 1 and told("hold") == "strip":
            half_a_strip(run, y, rows, strip)
        else:
            say("pixels", strip, id=run, of="result", y=y, rows=rows)
    if real:
        lie("end", run, spec)


def half_a_strip(run, y, rows, strip):
    say("alive")  # while the strip is on its way nothing else can be said
    out = sys.stdout.buffer
    line = '{"type":"pixels","id":"%s","of":"result","y":%d,"rows":%d,"payload":%d}\n'
    out.write((line % (run, y, rows, len(strip))).encode() + strip[: len(strip) // 2])
    out.flush()
    hold("strip", speak=False)
    out.write(strip[len(strip) // 2 :])
    out.flush()


def main():
    (FOLDER / "pid").write_text(str(os.getpid()))
    hold("greeting")  # it has read nothing yet, and so does not see who goes
    threading.Thread(target=read_stdin, daemon=True).start()
    while MESSAGES.get()[0]["type"] != "hello":
        pass
    if not lie("greeting"):
        lies.ready(sys.stdout.buffer)
    lie("ready")
    while True:
        header, spec, content, _style, _masks = fake_engine.receive_job()
        paint(header, spec, content)


if __name__ == "__main__":
    main()
