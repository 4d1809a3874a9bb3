"""The engine's own sentences in the user's language. It speaks English; its messages are known here
as templates. What matches none stays as it is. Knows nothing of GIMP.
"""

from __future__ import annotations

import functools
import re

from language.texts import N_, _

# In the order in which they are tried: those that say more come first.
TEMPLATES = (
    # parts that sentences below are made of
    N_("The picture"),
    N_("The photo"),
    N_("The style"),
    N_("The photo “{name}”"),
    N_("The style “{name}”"),
    N_("feature extractor"),
    N_("post-processor"),
    N_("style loss"),
    # pictures
    N_("{picture} is empty."),
    N_("{picture} is a GIMP project, not a picture file."),
    N_("{picture} is a HEIC picture, which cannot be read."),
    N_("{picture} is a JPEG XL picture, which cannot be read."),
    N_("{picture} is raw data of a camera, which has to be developed first."),
    N_("{picture} is damaged, or a picture of a kind that cannot be read."),
    N_("{picture} is damaged or incomplete."),
    N_("Copy or download it again, or export it anew."),
    N_("{picture} is not a picture."),
    N_("Choose a JPEG, PNG, WebP or TIFF file."),
    N_("{picture} has more than {n} million pixels."),
    N_("{picture} takes too much memory to be made smaller."),
    N_("{picture} does not fit into this computer's memory."),
    N_("{picture} is only {size} pixels."),
    N_("{picture} is completely transparent."),
    N_("Choose another file."),
    N_("Choose a picture, or a layer, with something on it."),
    N_("Choose a picture of at least {size} pixels."),
    N_("Open it in GIMP and export it as PNG or JPEG."),
    N_("Open it in GIMP, or in darktable or RawTherapee, and export it as TIFF or JPEG."),
    N_("Scale it down first."),
    N_("Close other programs, or use a smaller picture."),
    # the run
    N_("There is not enough memory to paint at this size."),
    N_("Choose a smaller working size, or close other programs."),
    N_("The classic method takes one style picture."),
    N_("Choose the quality Fast or Best to blend several styles."),
    N_("The classic method paints one style everywhere."),
    N_("Choose the quality Fast or Best to paint styles in regions."),
    N_("No style picture was given."),
    N_("Choose a style picture."),
    N_("The weight of a style must be above zero."),
    N_("The mask of a style must be a gray picture."),
    N_("The optimisation went astray: the loss is not a finite number."),
    N_("Lower the strength, or choose other features."),
    N_("features see"),
    N_("style loss sees"),
    N_(
        "The {part} a picture only as a whole, and {size} pixels are too many for the memory at "
        "hand."
    ),
    N_("Choose a smaller working size, or other features or another style loss."),
    # what is installed
    N_("The device {name} is not available on this computer."),
    N_("Use one of: {names}."),
    N_("The device {name} computes wrong gradients with this version of PyTorch."),
    N_("Choose the device cpu, or auto."),
    N_("The draft network “{path}” is missing or damaged."),
    N_("Run the installer again."),
    N_("A library of the engine cannot be loaded ({reason})."),
    N_("Run the installer again; `styleengine doctor` says more."),
    N_("The engine failed unexpectedly ({reason})."),
    N_("This is a bug; the engine's log has the details."),
    N_("engine"),
    N_("GIMP plug-in"),
    N_("The {old} is older than the {new} (protocol {numbers})."),
    N_("Run the installer again; it updates both."),
    N_("There is no {kind} called {name}."),
    N_("Known are: {names}."),
    N_("The {kind} {name} failed: {reason}."),
    N_("The post-processor {name} did not return a picture of the same size."),
    N_("Leave it out, and tell its author."),
    # the pretrained network
    N_("The pretrained VGG19 is not installed."),
    N_(
        "Download it with `styleengine weights fetch` (80 MB), or import a file with "
        "`styleengine weights import FILE`."
    ),
    N_("The download failed: {reasons}."),
    N_(
        "Try again later (it goes on where it stopped), or download {address} with a browser and "
        "run `styleengine weights import FILE` on it."
    ),
    N_("Another download of weights is running."),
    N_("Wait until it has ended."),
    N_("The folder “{folder}” could not be made: {reason}."),
    N_("Set STYLEENGINE_HOME to a folder of yours."),
    N_("There is not enough room in {folder}."),
    N_(
        "Make room and try again, set STYLEENGINE_HOME to a folder on another disk, or run "
        "`styleengine weights import FILE` on a copy you have."
    ),
    # what the user should know about a picture that is done
    N_("Memory is short: painted at {size} pixels and then enlarged."),
    N_("L-BFGS diverged; Adam took over from the last good picture."),
    N_("Memory ran out; from step {n} on the picture was worked on in tiles of {side} pixels."),
    N_("{problem} The processor was used instead."),
    N_("CPU, {n} threads"),
    N_("built-in draft network"),
)


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    form = "".join(
        f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )
    return re.compile(form, re.DOTALL)


def template_of(text: str) -> tuple[str, dict[str, str]] | None:
    """The template that a text was made from, and what fills its holes; None if there is none."""
    for template in TEMPLATES:
        found = _pattern(template).fullmatch(text)
        if found:
            return template, found.groupdict()
    return None


def translated(text: str) -> str:
    """One or two sentences of the engine in the user's language, else as they are."""
    found = template_of(text)
    if found:
        template, holes = found
        return _(template).format(**{name: translated(value) for name, value in holes.items()})
    for end in re.finditer(r"\. ", text):
        first, rest = text[: end.start() + 1], text[end.end() :]
        if template_of(first) and template_of(rest):
            return f"{translated(first)} {translated(rest)}"
    return text
