"""A display of its own, and its windows. Runs within the root; standard library only."""

from __future__ import annotations

import os
import subprocess
import threading
import time


def start_display(width=1400, height=900):
    """Starts an X server, and names it in DISPLAY; its process."""
    reader, writer = os.pipe()
    size = f"{width}x{height}x24"
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", size, "-nolisten", "tcp", "-noreset"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as stream:
        os.environ["DISPLAY"] = ":" + stream.readline().strip()
    return server


def windows_are_managed():
    """Starts a window manager; at times it does not find the new display, and goes."""
    manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
    while manager.poll() is None:
        if xdotool("get_desktop"):  # only a window manager tells
            threading.Thread(target=_keep, args=[manager], daemon=True).start()
            return True
        time.sleep(0.1)
    return False


def _keep(manager):
    """Starts another window manager whenever one has gone, as it had in some runs."""
    while True:
        manager.wait()
        manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
        time.sleep(0.2)


def xdotool(*words):
    """The words that xdotool answers."""
    done = subprocess.run(["xdotool", *map(str, words)], capture_output=True, text=True)
    return done.stdout.split()


def window(title):
    """The window with this title, None if there is none."""
    for _ in range(3):  # another window that goes meanwhile spoils the search
        found = xdotool("search", "--onlyvisible", "--name", title)
        if found:
            return found[-1]
    return None


def press(target, *keys):
    """Keys, in a window."""
    # Its own "--sync" waits 15 s for a menu or a question in front of the window.
    for set_it, ask, patience in (
        ("windowactivate", ("getactivewindow",), 2.0),
        ("windowfocus", ("getwindowfocus", "-f"), 0.5),
    ):
        xdotool(set_it, target)
        end = time.monotonic() + patience
        while xdotool(*ask) != [str(target)] and time.monotonic() < end:
            time.sleep(0.02)
    for key in keys:
        xdotool("key", "--clearmodifiers", key)


def processes(words):
    """The process ids of commands with these words."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as stream:
                if words in stream.read():
                    found.append(int(number))
        except OSError:
            continue  # it has just ended
    return found


def is_running(pid):
    """Whether a process lives, and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
