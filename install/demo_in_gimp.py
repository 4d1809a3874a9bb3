"""Runs inside GIMP's own Python: opens the photo, calls the filter on its layer, saves the results.

Started by demo.py, which leaves the file names in the JSON file that DEMO_JOB names.
"""

import json
import os
import time

from gi.repository import Gimp, Gio

NONINTERACTIVE = Gimp.RunMode.NONINTERACTIVE


def call(name, **values):
    """Calls a procedure with named arguments; returns its values, or raises RuntimeError."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    if procedure is None:
        raise RuntimeError(f"GIMP does not know {name}: the plug-in was not loaded.")
    config = procedure.create_config()
    for argument, value in values.items():
        if isinstance(value, list):
            config.set_core_object_array(argument, value)
        else:
            config.set_property(argument.replace("_", "-"), value)
    answer = procedure.run(config)
    if answer.index(0) != Gimp.PDBStatusType.SUCCESS:
        raise RuntimeError(answer.index(1) if answer.length() > 1 else f"{name} failed.")
    return answer


def main(job):
    """Does the work; returns what to tell."""

    def file(name):
        return Gio.File.new_for_path(job[name])

    image = Gimp.file_load(NONINTERACTIVE, file("photo"))
    layer = image.get_layers()[0]
    started = time.monotonic()
    answer = call("plug-in-neural-style", image=image, drawables=[layer], style=file("style"))
    seconds = time.monotonic() - started
    painted = answer.index(1)
    Gimp.file_save(NONINTERACTIVE, image, file("xcf"), None)
    flat = image.duplicate()
    flat.flatten()
    Gimp.file_save(NONINTERACTIVE, flat, file("png"), None)
    return {
        "seconds": seconds,
        "gimp": Gimp.version(),
        "layers": [item.get_name() for item in image.get_layers()],
        "painted": painted.get_name(),
        "size": [painted.get_width(), painted.get_height()],
    }


with open(os.environ["DEMO_JOB"], encoding="utf-8") as stream:
    job = json.load(stream)
try:
    told = main(job)
except Exception as error:  # whatever it is, demo.py shows it to the user
    told = {"error": getattr(error, "message", "") or str(error)}
with open(job["told"], "w", encoding="utf-8") as stream:
    json.dump(told, stream)
