"""A third-party plug-in for tests: thin networks, some of which fail in a given way, and a loss.

It is used in this process through `Plugins.add`, and in others as an installed
package with an entry point (`tests.helpers.install_package`).
"""

from __future__ import annotations

import copy
import os
import threading
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from styleengine import Geometry, GramLoss, Network, hookimpl

STYLE_LAYERS = ("thin1", "thin2")
CONTENT_LAYER = "thin2"


class Thin(Network):
    """Two convolutions with a pooling between them, always the same."""

    def __init__(self, request):
        super().__init__()
        rng = np.random.default_rng(5)
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 12, 3)
        for conv in (self.first, self.second):
            shape = tuple(conv.weight.shape)
            scale = (2 / np.prod(shape[1:])) ** 0.5
            drawn = rng.standard_normal(shape) * scale
            conv.weight.data = torch.from_numpy(drawn.astype(np.float32))
            conv.bias.data.zero_()
        self.requires_grad_(False)
        self.layers = request.layers
        self.units = dict.fromkeys(request.layers, 1.0)
        self.geometry = {"thin1": Geometry(1, 1), "thin2": Geometry(2, 3)}
        self.source = "thin test network"
        self.renew = None

    def forward(self, image):
        one = F.relu(self.first(F.pad(image, (1, 1, 1, 1), mode="replicate")))
        half = F.avg_pool2d(one, 2)
        half = half if self.renew is None else self.renew(half, 2)
        two = F.relu(self.second(F.pad(half, (1, 1, 1, 1), mode="replicate")))
        return {n: f for n, f in {"thin1": one, "thin2": two}.items() if n in self.layers}

    def between(self, layers):
        return 2

    def renewing(self, renew):
        new = copy.copy(self)
        new.renew = renew
        return new


class Unwell(Thin):
    """Gives NaN for the evaluations (with gradient) ``ill_from`` to ``ill_to``."""

    ill_from, ill_to = 4, 4

    def __init__(self, request):
        super().__init__(request)
        self.evaluations = 0

    def forward(self, image):
        found = super().forward(image)
        if image.requires_grad:
            self.evaluations += 1
            if self.ill_from <= self.evaluations <= self.ill_to:
                return {n: f * float("nan") for n, f in found.items()}
        return found


class UnwellForAWhile(Unwell):
    """Ill for exactly as long as L-BFGS tries shorter steps."""

    ill_to = 10


class UnwellForGood(Unwell):
    ill_to = 10**9


class UnwellFromTheStart(UnwellForGood):
    ill_from = 1


class Greedy(Thin):
    """Asks torch for far more memory than any computer has."""

    def forward(self, image):
        torch.empty(1 << 50)
        return super().forward(image)


class GreedyInNumpy(Thin):
    def forward(self, image):
        np.empty(1 << 50, np.uint8)
        return super().forward(image)


class Small(Thin):
    """Has memory for pictures of up to 40,000 pixels."""

    def forward(self, image):
        if image.requires_grad and image.shape[-2] * image.shape[-1] > 40_000:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().forward(image)


class OutOfGPU(Thin):
    def forward(self, image):
        raise torch.OutOfMemoryError("CUDA out of memory.")


class Buggy(Thin):
    def __init__(self, request):
        raise IndexError("a mistake of the plug-in's author")


class BuggyLater(Thin):
    def forward(self, image):
        raise IndexError("a mistake of the plug-in's author")


class Slow(Thin):
    """Never finishes its second evaluation, and does not hold Python's lock meanwhile.

    The file that ``TOY_HANGS`` names is made when it begins to hang.
    """

    def __init__(self, request):
        super().__init__(request)
        self.evaluations = 0

    def forward(self, image):
        if image.requires_grad:
            self.evaluations += 1
        if self.evaluations > 1:
            if "TOY_HANGS" in os.environ:
                Path(os.environ["TOY_HANGS"]).touch()
            threading.Event().wait()
        return super().forward(image)


class Silent(GramLoss):
    """A style loss that asks for nothing."""

    def distance(self, ours, target):
        return super().distance(ours, target) * 0


NETWORKS = {
    "thin": Thin,
    "unwell-once": Unwell,
    "unwell-for-a-while": UnwellForAWhile,
    "unwell-for-good": UnwellForGood,
    "unwell-from-the-start": UnwellFromTheStart,
    "greedy": Greedy,
    "greedy-in-numpy": GreedyInNumpy,
    "out-of-gpu": OutOfGPU,
    "small": Small,
    "buggy": Buggy,
    "buggy-later": BuggyLater,
    "slow": Slow,
}


@hookimpl
def register_extractors(register):
    for name, network in NETWORKS.items():
        register(name, network, STYLE_LAYERS, CONTENT_LAYER, f"Test network {name}")


@hookimpl
def register_style_losses(register):
    register("silent", Silent, "Nothing")


@hookimpl
def register_postprocessors(register):
    register("negative", lambda result, content: 1 - result, "Negative")
    register("cut", lambda result, content: result[:-1], "Loses a row")
    register("photo", lambda result, content: content, "Gives the photo back")
    register("flat", lambda _, content: np.broadcast_to(content[:1, :1], content.shape), "Flat")
    register("blame", blame, "Raises")


def blame(result, content):
    raise IndexError("a mistake of the plug-in's author")


@hookimpl
def observe(event):
    print("a stray print from an observer")
    os.write(1, b"a stray write to file descriptor 1\n")
