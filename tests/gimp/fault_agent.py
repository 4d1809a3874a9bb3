#!/usr/bin/env python3
"""A plug-in for the tests: two processes in which GIMP does what the test sends, side by side.

One starts our plug-in and waits for it, the other edits the image meanwhile. Each connects to
FAULTS_SOCKET, says its name, and answers each line of Python with a line of JSON: what the variable
``answer`` holds then, or the traceback.
"""

import json
import os
import socket
import sys
import traceback

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402

NAMES = ("faults-run", "faults-edit")


class Agent(Gimp.PlugIn):
    """GIMP starts procedures of this kind when it starts itself."""

    def do_query_procedures(self):
        return list(NAMES)

    def do_set_i18n(self, name):
        return False

    def do_create_procedure(self, name):
        kind = Gimp.PDBProcType.PERSISTENT
        return Gimp.Procedure.new(self, name, kind, serve, None)


def serve(procedure, config, data):
    procedure.persistent_ready()
    Gegl.init(None)
    names = {}
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.environ["FAULTS_SOCKET"])
        stream = link.makefile("rw")
        print(procedure.get_name(), file=stream, flush=True)
        for line in stream:
            names["answer"] = None
            try:
                exec(json.loads(line), names)
                told = {"answer": names["answer"]}
            except Exception:
                told = {"problem": traceback.format_exc()}
            print(json.dumps(told), file=stream, flush=True)
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


if __name__ == "__main__":
    Gimp.main(Agent.__gtype__, sys.argv)
