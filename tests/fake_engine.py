"""A scripted engine that speaks the protocol, for tests: `fake_engine.py [--dump DIR] [MODE]`.

Its colours also tell the style and the strength apart if the mode is ``tinted``.
The mode can also come from the style picture, whose bytes then are ``fake:MODE``. It inverts
the colours of the content unless the mode asks for one of the failures below. With ``--dump`` it
leaves ``pid``, ``environment.json``, ``run.json``, ``content.raw`` and ``style.raw`` in DIR.
"""

from __future__ import annotations

import array
import json
import os
import queue
import signal
import sys
import threading
import time
import zlib
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "styleengine"))
import protocol

MESSAGES: queue.Queue = queue.Queue()


def say(kind, payload=None, **fields):
    protocol.write_frame(sys.stdout.buffer, {"type": kind, **fields}, payload)


def read_stdin():
    while True:
        frame = protocol.read_frame(sys.stdin.buffer)
        if frame is None:
            os._exit(0)
        MESSAGES.put(frame)


def inverted(data, dtype):
    """The strip with every colour c as 1 - c, and alpha as it was."""
    kind, top = {"u8": ("B", 255), "u16": ("H", 65535), "f32": ("f", 1.0)}[dtype]
    samples = array.array(kind, data)
    for channel in range(3):
        samples[channel::4] = array.array(kind, [top - value for value in samples[channel::4]])
    return samples.tobytes()


class Dump:
    def __init__(self, folder):
        self.folder = Path(folder) if folder else None
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, name, data):
        if self.folder:
            data = data if isinstance(data, bytes) else json.dumps(data).encode()
            (self.folder / (name + ".part")).write_bytes(data)
            os.replace(self.folder / (name + ".part"), self.folder / name)

    def has(self, name):
        return bool(self.folder) and (self.folder / name).exists()


def receive_job():
    """The header of the next run, its content as one bytes object, and its style."""
    while True:
        header, _ = MESSAGES.get()
        if header["type"] == "run":
            break
    spec = protocol.picture_spec(header["content"])
    content, style, masks = bytearray(), bytearray(), {}
    missing = {("content", 0): spec.height * spec.row_bytes}
    for index, entry in enumerate(header["styles"]):
        missing["style", index] = 1  # a file comes whole
        if entry.get("width"):
            style_spec = protocol.picture_spec(entry)
            missing["style", index] = style_spec.height * style_spec.row_bytes
        if entry.get("mask"):
            missing["mask", index] = entry["mask"]["width"] * entry["mask"]["height"]
    if header.get("hold"):
        missing["hold", 0] = header["hold"]["width"] * header["hold"]["height"]
    for index, entry in enumerate((header.get("spot") or {}).get("parts", ())):
        part_spec = protocol.picture_spec(entry)
        missing["spot", index] = part_spec.height * part_spec.row_bytes
    while any(size > 0 for size in missing.values()):
        part, payload = MESSAGES.get()
        if part["type"] == "stop" and part["id"] == header["id"]:
            say("cancelled", id=header["id"])
            return receive_job()
        if part["type"] not in ("style", "pixels"):
            continue
        of, index = part.get("of", "style"), part.get("index", 0)
        missing[of, index] -= len(payload)
        if of == "spot":
            continue
        if of == "mask":
            masks[index] = masks.get(index, b"") + payload
        elif of == "hold":
            masks[of] = masks.get(of, b"") + payload
        elif of == "content":
            content += payload
        elif index == 0:
            style += payload
    return header, spec, bytes(content), bytes(style), masks


def send_preview(run, spec, content, most):
    """The inverted picture, every n-th pixel of it so that it is small enough."""
    if not most or spec.dtype != "u8":
        return
    step = -(-max(spec.width, spec.height) // most)
    rows = [content[y * spec.row_bytes :][: spec.row_bytes] for y in range(0, spec.height, step)]
    pixels = array.array("I", b"".join(rows))
    width = -(-spec.width // step)
    small = array.array("I")
    for y in range(len(rows)):
        small += pixels[y * spec.width : (y + 1) * spec.width : step]
    data = inverted(small.tobytes(), "u8")
    say("preview", data, id=run, width=width, height=len(rows))


def send_result(run, spec, content, height=None, stopped=False):
    say("result", id=run, width=spec.width, height=spec.height, dtype=spec.dtype, seconds=0.1,
        settings={}, features="none", device="cpu", stopped=stopped, reached=[64, 48])  # fmt: skip
    row = spec.row_bytes
    for y, rows in spec.strips() if height is None else [(0, height)]:
        strip = inverted(content[y * row : (y + rows) * row], spec.dtype)
        say("pixels", strip, id=run, of="result", y=y, rows=rows)


def spot_of(content, spec, spot):
    """The pixels of a spot, of its size, as every n-th of the content; and their shape."""
    (left, top, across, down), (width, height) = spot["area"], spot["size"]
    by_x, by_y = spec.width / spot["whole"][0], spec.height / spot["whole"][1]
    pixels, found = array.array("I", content), array.array("I")
    columns = [int((left + (x + 0.5) * across / width) * by_x) for x in range(width)]
    for y in range(height):
        row = int((top + (y + 0.5) * down / height) * by_y) * spec.width
        found.extend(pixels[row + x] for x in columns)
    return protocol.PictureSpec(width, height), found.tobytes()


def progress(run, step, steps=10):
    say("progress", id=run, stage="paint", scale=1, scales=2, step=step, steps=steps, width=64,
        height=48, loss=1.0 / step, eta_s=float(steps - step))  # fmt: skip


def paint_until_told(run, spec, content, dump):
    """Paints until `stop`, with or without the picture, or until the file ``finish`` is there."""
    step = 0
    while True:
        step += 1
        progress(run, step % 9 + 1)
        if dump.has("finish"):
            send_result(run, spec, content)
            return
        try:
            header, _ = MESSAGES.get(timeout=0.05)
        except queue.Empty:
            continue
        if header["type"] == "stop" and header["id"] == run:
            dump.write("stopped", run)
            if header["keep"]:
                send_result(run, spec, content, stopped=True)
            else:
                say("cancelled", id=run)
            return


def misbehave_at_start(mode):
    if mode == "die-at-start":
        raise ModuleNotFoundError("No module named 'torch'")
    if mode == "killed-at-start":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "garbage-at-start":
        print("Hello, this is not a frame", flush=True)
    if mode == "mute":
        while True:
            time.sleep(1)
    if mode == "chatty-exit":
        print("leaving", file=sys.stderr)
        os._exit(3)


def misbehave_in_run(mode, run, spec, content):
    """Whether the mode has been a failure that takes the place of the result."""
    if mode == "die":
        raise RuntimeError("the brush broke")
    if mode == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if mode == "real-time-signal":
        os.kill(os.getpid(), signal.SIGRTMIN + 3)
    if mode == "memory":
        raise MemoryError
    if mode == "quit":
        os._exit(0)
    if mode == "dead":  # without having said that it lives
        os.kill(os.getpid(), signal.SIGSTOP)
    if mode == "hang-amid-result":
        say("alive")
        say("result", id=run, width=spec.width, height=spec.height, dtype=spec.dtype)
        os.kill(os.getpid(), signal.SIGSTOP)
    if mode == "hang":
        say("alive")
        os.kill(os.getpid(), signal.SIGSTOP)
    if mode == "busy":
        for _ in range(40):
            say("alive")
            time.sleep(0.05)
        return False
    if mode == "kill-plug-in":
        send_result(run, spec, content, height=spec.height // 2)
        time.sleep(0.5)  # it has to make its hidden image
        os.kill(os.getppid(), signal.SIGKILL)
    if mode == "quiet":
        while True:
            say("alive")
            time.sleep(0.5)
    if mode == "cut-off":
        sys.stdout.buffer.write(b'{"type":"pixels","payload":1000}\nhalf')
        sys.stdout.buffer.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "odd-progress":
        say("progress", id=run, stage="paint", eta_s=10**400)
        return True
    if mode in ("one-channel", "not-a-number", "odd-preview"):
        shape = {"width": spec.width, "height": spec.height}
        if mode == "odd-preview":
            say("preview", b"1234", id=run, **shape)
            return True
        say("result", id=run, **shape, dtype="f32", channels=1 if mode == "one-channel" else 4)
        row = array.array("f", [float("nan")] * 4 * spec.width)
        say("pixels", row.tobytes(), id=run, of="result", y=0, rows=1)
        return True
    if mode == "two-results":
        say("result", id=run, width=spec.width, height=spec.height, dtype=spec.dtype)
        send_result(run, spec, content)
        return True
    if mode == "garbage":
        sys.stdout.buffer.write(b"\x00\xff" * 40 + b"\n")
        sys.stdout.buffer.flush()
    elif mode == "failed":
        say("failed", id=run, code="bad-picture", message="The style is not a picture.",
            hint="Choose another style.")  # fmt: skip
    elif mode == "wrong-strip":
        say("result", id=run, width=spec.width, height=spec.height, dtype=spec.dtype)
        say("pixels", b"1234", id=run, of="result", y=0, rows=1)
    elif mode == "half-result":
        send_result(run, spec, content, height=spec.height // 2)
        raise RuntimeError("out of paint")
    else:
        return False
    return True


def tinted(content, style, settings):
    """Pixels with a share of red that depends on what is painted with."""
    pixels = bytearray(content)
    shift = zlib.crc32(style + repr(settings["strength"]).encode()) % 200
    pixels[0::4] = bytes((value + shift) // 2 for value in pixels[0::4])
    return bytes(pixels)


def main():
    arguments = sys.argv[1:]
    folder = None
    if arguments[:1] == ["--dump"]:
        folder, arguments = arguments[1], arguments[2:]
    start_mode = arguments[0] if arguments else ""
    dump = Dump(folder)
    dump.write("environment.json", dict(os.environ))
    dump.write("pid", str(os.getpid()).encode())
    misbehave_at_start(start_mode)
    threading.Thread(target=read_stdin, daemon=True).start()
    while MESSAGES.get()[0]["type"] != "hello":
        pass
    if start_mode == "deaf":  # hangs as soon as it is ready, before it reads a picture
        say("alive")
    number = {"too-new": protocol.PROTOCOL + 1, "too-old": 0}.get(start_mode, protocol.PROTOCOL)
    accepts = [] if start_mode == "holds-nothing" else list(protocol.ACCEPTED)
    say(
        "ready",
        protocol=number,
        version="0",
        devices={"cpu": "CPU, 2 threads"},
        capabilities={},
        accepts=accepts,
        unknown="ignored",
    )
    if start_mode == "deaf":
        os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        header, spec, content, style, masks = receive_job()
        run = header["id"]
        dump.write("content.raw", content)
        dump.write("style.raw", style)
        for index, mask in masks.items():
            dump.write(f"mask-{index}.raw", mask)
        spot = header.get("spot") or {}
        dump.write(("ready" if spot.get("ready") else "spot" if spot else "run") + ".json", header)
        if header.get("spot"):
            spec, content = spot_of(content, spec, header["spot"])
        mode = style[5:].decode() if style.startswith(b"fake:") else start_mode
        if mode == "tinted" and spec.dtype == "u8":
            content = tinted(content, style, header["settings"])
        say("a-newer-event", id=run)
        for step in range(1, 4):
            progress(run, step)
        send_preview(run, spec, content, header.get("preview"))
        if mode == "wait":
            paint_until_told(run, spec, content, dump)
        elif not misbehave_in_run(mode, run, spec, content):
            send_result(run, spec, content)


if __name__ == "__main__":
    main()
