"""Runs that several processes share, for `test_together`; as a program, all of them.

    torchrun --nproc-per-node 2 tests/sharing.py FOLDER

writes what came of each into the folder. Limits are such that pictures of a few thousand pixels are
shared.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from styleengine.descent import painter
from styleengine.engine import Engine
from styleengine.jobs import Frame, Job, Preview, Result, Style
from styleengine.loss import foreseen
from styleengine.networks.base import NETWORK_VALUES
from styleengine.pictures.picture import Picture
from styleengine.pictures.samples import kept
from styleengine.planning import fitting, layout, recipes
from styleengine.protocol import Progress, Settings
from styleengine.scene import pyramid
from styleengine.together import launch
from tests.helpers import picture, toy_plugins

HEIGHT, WIDTH = 170, 236
TILE = NETWORK_VALUES * 4 * 160**2
STOPPED_AFTER = 5


def _alpha() -> np.ndarray:
    alpha = np.ones((HEIGHT, WIDTH), np.float32)
    alpha[:45, :100], alpha[45:60] = 0, 0.5
    return alpha


def _mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[50:, :100], mask[50:60] = 1, 0.3
    return mask


def _held() -> np.ndarray:
    hold = np.zeros((HEIGHT, WIDTH), np.float32)
    hold[65:95, 50:150] = 1
    return hold


def job(hold: bool = False, preview: int = 0, **settings: Any) -> Job:
    """A photo with hidden parts, two styles, one of them in a region."""
    content = dataclasses.replace(picture(HEIGHT, WIDTH, block=23), alpha=_alpha())
    styles = (
        Style(picture(96, 120, 9, block=8), 1.0, _mask()),
        Style(picture(120, 120, 10, block=6), 2.0),
        Style(picture(100, 90, 11, block=5)),
    )
    given = {"size": WIDTH, "iterations": 8, "features": "thin", "faces": "paint", **settings}
    held = _held() if hold else None
    return Job(content, styles, Settings(**given), preview, 2, hold=held)


def plain() -> Job:
    """With the draft network, whose margins are as wide as VGG19's."""
    settings = Settings(size=WIDTH, iterations=4, features="draft", faces="paint")
    return Job(picture(HEIGHT, WIDTH, block=23), (Style(picture(96, 120, 9, block=8)),), settings)


def film() -> Job:
    """A frame whose left half was not to be seen in the one before, where the rest lay 3 pixels
    higher; steady, so that the next one can follow."""
    work = job()
    rgb = work.content.rgb
    before = np.concatenate([np.roll(rgb, -3, 0)[:, WIDTH // 2 :], 1 - rgb[:, : WIDTH // 2]], 1)
    before = np.roll(before, WIDTH // 2, 1).astype(np.float16)
    frame = Frame((HEIGHT, WIDTH), before, 1 - before, _alpha().astype(np.float16))
    return dataclasses.replace(work, frame=frame, steady=True)


def kept_photo(**settings: Any) -> Job:
    """An opaque photo that stays in its 8 bits, so that each process finishes its own rows."""
    work = job(**settings)
    rgb = kept(np.rint(work.content.rgb * 255).astype(np.uint8))
    return dataclasses.replace(work, content=Picture(rgb), given_up=True)


JOBS: dict[str, Job] = {
    "all": job(hold=True, preview=100),
    "adam": job(optimizer="adam", keep_colors="luminance"),
    "gram": job(style_loss="gram-moments", init="content"),
    "fine": job(),
    "narrow": job(),
    "draft": plain(),
    "film": film(),
    "beside": job(hold=True, preview=100),
    "beside, draft": plain(),
    "beside, gram": job(style_loss="gram-moments", init="content"),
    "bits": kept_photo(keep_colors="luminance"),
    "beside, bits": kept_photo(size=232),
    "stopped": job(),
    "again": job(),
    "beside, stopped": job(hold=True, preview=100),
    "bits, stopped": kept_photo(keep_colors="luminance"),
}


@contextmanager
def limits(name: str) -> Iterator[None]:
    """Those of a run; in "fine" the large scale looks at shallow layers only."""
    with pytest.MonkeyPatch.context() as patch:
        state = 60 * 64 * 64 if name == "narrow" else 1e12
        patch.setattr(pyramid, "BESIDE", 8)
        whole = 1e12 if name.startswith("beside") else 1
        patch.setitem(layout.LIMITS, "cpu", layout.Limits(whole, 0, state, TILE))
        patch.setattr(fitting, "ROWS", 32)
        if name == "fine":
            patch.setattr(recipes, "LARGE", 150)
            patch.setattr(recipes, "FINE", 150)
            patch.setattr(painter, "FINE", 150)
            lattice = {"BLOCK": 32, "PERIOD": 48, "TOP": 16, "FEWEST": 4, "MOST_WORK": 100}
            for constant, value in lattice.items():
                patch.setattr(foreseen, constant, value)
        yield


@dataclasses.dataclass(frozen=True)
class Painted:
    """What came of a run: the loss after each step, the picture, the previews."""

    losses: list[float]
    rgb: np.ndarray
    previews: list[np.ndarray]
    stopped: bool


def painted(engine: Engine, name: str) -> Painted:
    """The run of that name."""
    losses: dict[int, float] = {}
    previews: list[np.ndarray] = []
    stop: Callable[[], bool] = lambda: name.endswith("stopped") and len(losses) >= STOPPED_AFTER  # noqa: E731
    with limits(name):
        for event in engine.run(JOBS[name], stop):
            if isinstance(event, Progress) and event.stage == "paint" and event.loss is not None:
                losses[event.step] = event.loss
            elif isinstance(event, Preview):
                previews.append(event.picture.rgb)
            elif isinstance(event, Result):
                rgb = np.asarray(event.picture.rgb)
                return Painted(list(losses.values()), rgb, previews, event.stopped)
    raise AssertionError("a run ends with a result")


def main(folder: Path) -> None:
    """Runs all jobs in the group that torchrun has made."""
    group = launch.join()
    engine = Engine(toy_plugins())
    if group.rank:
        for name in JOBS:  # the limits go with the runs
            with limits(name):
                engine.follow()
    else:
        for name in JOBS:
            found = painted(engine, name)
            np.savez(folder / f"{name}.npz", runs=group.runs, **dataclasses.asdict(found))
            group.first(None)
    group.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
