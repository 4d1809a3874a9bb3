"""`Engine.run`: the one way to paint a picture, as a generator of events."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from styleengine import devices, resample
from styleengine.color import luma, with_luma
from styleengine.features import ExtractorRequest
from styleengine.images import Picture, require_usable
from styleengine.objective import Objective
from styleengine.optim import LBFGS, Adam, Diverged, Minimizer
from styleengine.plan import Plan, make_plan
from styleengine.plugins import ExtractorEntry, Plugins, load_plugins
from styleengine.protocol import EngineError, Progress, Settings
from styleengine.scene import Scene

log = logging.getLogger(__name__)

PREVIEW_INTERVAL_S = 0.4
RESCUE_RATE = 0.01
"""Adam's step when it has to take over from a minimiser that diverged."""


@dataclass(frozen=True)
class Style:
    """A style picture and its share in the blend (any positive number)."""

    picture: Picture
    weight: float = 1.0


@dataclass(frozen=True)
class Job:
    """One picture to paint.

    ``preview`` is the longest side of the previews asked for, in pixels (0: none); they come at
    most every 0.4 s, or exactly every ``preview_steps`` steps if that is given. ``weights`` names a
    weight file (None: see `weights.resolve`).
    """

    content: Picture
    styles: tuple[Style, ...]
    settings: Settings = field(default_factory=Settings)
    preview: int = 0
    preview_steps: int | None = None
    weights: str | None = None


@dataclass(frozen=True)
class Preview:
    """The picture as it is now, at no more than the long side asked for."""

    picture: Picture
    step: int


@dataclass(frozen=True)
class Result:
    """The finished picture at the content's full size, with its alpha untouched.

    ``features`` and ``device`` say in words what was used; ``stopped`` that the run ended early
    because it was asked to; ``notes`` are things the user should know.
    """

    picture: Picture
    settings: Settings
    features: str
    device: str
    seconds: float
    stopped: bool = False
    notes: tuple[str, ...] = ()


Event = Progress | Preview | Result


class Engine:
    """Paints pictures; keeps the network loaded from one run to the next."""

    def __init__(self, plugins: Plugins | None = None) -> None:
        """``plugins``: what may be chosen by name; all installed ones when None."""
        self.plugins = plugins if plugins is not None else load_plugins()
        self._trunks: dict[tuple[object, ...], tuple[devices.Trunk, str, str]] = {}

    def run(self, job: Job, should_stop: Callable[[], bool] = lambda: False) -> Generator[Event]:
        """Paints ``job``, yielding `Progress` and `Preview` events and, last, one `Result`.

        ``should_stop`` is asked after each step; once it says yes, the `Result` holds what there
        is. To drop the run without a result, close the generator. Raises `EngineError` for
        everything the user can do something about. The same job gives the same picture on the
        same device with the same number of threads.
        """
        try:
            for event in self._run(job, should_stop):
                self.plugins.observe(job, event)
                yield event
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise out_of_memory() from error
            raise

    def _run(self, job: Job, should_stop: Callable[[], bool]) -> Iterator[Event]:
        started = time.monotonic()
        yield Progress("prepare")
        self._check(job)
        original, job = job, without_hidden_colors(job)
        settings = job.settings
        entry = self.plugins.extractor(settings.features)
        plan = make_plan(settings, job.content.width, job.content.height, entry)
        style_loss = self.plugins.style_loss(plan.style_loss)
        device = devices.pick(settings.device)
        trunk, source, precision = self._trunk(job, plan.layers, entry, device)
        scene = Scene.of(job, plan, device)
        notes: list[str] = []

        painter = Painter(plan, should_stop)
        for scale in range(len(plan.sizes)):
            objective = scene.objective(scale, trunk, style_loss)
            for step in painter.paint(scale, scene, objective):
                yield step
                if job.preview and painter.preview_due(job.preview_steps):
                    yield Preview(self._preview(job, scene, painter), painter.step)
            if painter.stopped:
                break
        notes += painter.notes

        yield painter.progress("finish")
        result = self._finish(job, scene, painter.picture.cpu())
        if original.content.alpha is not None:
            hidden = original.content.alpha <= 0
            result.rgb[hidden] = original.content.rgb[hidden]
        seconds = time.monotonic() - started
        about = f"{devices.describe(str(device))}, {precision}"
        yield Result(result, settings, source, about, seconds, painter.stopped, tuple(notes))

    def _check(self, job: Job) -> None:
        require_usable(job.content, "content")
        if not job.styles:
            raise EngineError("no-style", "No style picture was given.", "Choose a style picture.")
        for style in job.styles:
            require_usable(style.picture, "style")
            if not (np.isfinite(style.weight) and style.weight > 0):
                raise EngineError("bad-setting", "The weight of a style must be above zero.")
        if job.settings.preset == "classic" and len(job.styles) > 1:
            raise EngineError(
                "bad-setting",
                "The classic method takes one style picture.",
                "Choose the quality Fast or Best to blend several styles.",
            )
        if job.settings.style_loss != "auto":
            self.plugins.style_loss(job.settings.style_loss)
        for name in postprocessors(job.settings):
            self.plugins.postprocessor(name)

    def _trunk(
        self,
        job: Job,
        layers: tuple[str, ...],
        entry: ExtractorEntry,
        device: torch.device,
    ) -> tuple[devices.Trunk, str, str]:
        s = job.settings
        request = ExtractorRequest(layers, s.pooling, job.weights, s.seed, s.features)
        key = (request, device)
        if key not in self._trunks:
            nets = [build(entry, request)]
            source = str(getattr(nets[0], "source", entry.label))

            def make() -> torch.nn.Module:
                return nets.pop() if nets else build(entry, request)

            precision = devices.choose_precision(make, device)
            trunk = devices.Trunk(make(), device, precision)
            self._trunks.clear()  # one network at a time is enough memory
            self._trunks[key] = (trunk, source, precision.name)
        return self._trunks[key]

    def _preview(self, job: Job, scene: Scene, painter: Painter) -> Picture:
        image = painter.picture
        height, width = image.shape[-2:]
        size = resample.fit(width, height, min(max(width, height), job.preview))
        small = resample.resize(image, size).cpu()
        rgb = resample.to_array(scene.restore_colors(small))
        alpha = job.content.alpha
        if alpha is not None:
            alpha = resample.resize(resample.to_tensor(alpha), size)[0, 0].clamp(0, 1).numpy()
        return Picture(rgb, alpha, 8, job.content.name)

    def _finish(self, job: Job, scene: Scene, image: Tensor) -> Picture:
        content = job.content
        full = resample.carry_to_full_size(image, content.rgb)
        if scene.keep_colors:
            for y in range(0, full.shape[0], resample.STRIP_ROWS):
                rows = slice(y, y + resample.STRIP_ROWS)
                light = luma(resample.to_tensor(full[rows]))
                colors = resample.to_tensor(content.rgb[rows]).clamp(0, 1)
                full[rows] = resample.to_array(with_luma(colors, light))
        for name in postprocessors(job.settings):
            full = self._postprocess(name, full, content.rgb)
        return dataclasses.replace(content, rgb=full)

    def _postprocess(self, name: str, image: np.ndarray, content: np.ndarray) -> np.ndarray:
        try:
            done = np.asarray(self.plugins.postprocessor(name)(image, content))
        except Exception as error:
            raise bad_plugin("post-processor", name, error) from error
        if done.shape != image.shape or not np.isfinite(done).all():
            raise EngineError(
                "bad-plugin",
                f"The post-processor {name!r} did not return a picture of the same size.",
                "Leave it out, and tell its author.",
            )
        return done.astype(np.float32, copy=False)


class Painter:
    """Runs the minimiser through the scales; holds the picture and the state of the run."""

    def __init__(self, plan: Plan, should_stop: Callable[[], bool]) -> None:
        """Starts with no picture; `paint` takes the scene's initial one at the first scale."""
        self._plan, self._should_stop = plan, should_stop
        self._best: Tensor | None = None
        self._minimizer: Minimizer | None = None
        self._started = self._last_preview = time.monotonic()
        self._pixels_done = 0.0
        self.scale = self.step = 0
        self.loss: float | None = None
        self.stopped = False
        self.notes: list[str] = []

    @property
    def picture(self) -> Tensor:
        """The best estimate so far, (1, 3, h, w) at the scale reached.

        That is the evaluated iterate of the lowest loss, never the last, unproven move; with Adam,
        the mean of its iterates.
        """
        assert self._best is not None
        return self._best if self._minimizer is None else self._minimizer.average(self._best)

    def paint(self, scale: int, scene: Scene, objective: Objective) -> Iterator[Progress]:
        """All steps of one scale; yields a `Progress` after each."""
        x = scene.start(scale, None if self._best is None else self.picture)
        self._best, self.scale = x.clone(), scale
        optimizer = self._plan.optimizer
        rounds = self._plan.rounds(scale)
        for count in rounds:
            self._minimizer = self._make(optimizer)
            lowest = float("inf")
            for _ in range(count):
                loss, gradient = objective(x)
                if loss < lowest:
                    lowest = loss
                    self._best.copy_(x)
                try:
                    self._minimizer.step(x, loss, gradient)
                except Diverged as error:
                    if optimizer == "adam":
                        raise EngineError(
                            "diverged",
                            "The optimisation went astray: the loss is not a finite number.",
                            "Lower the strength, or choose other features.",
                        ) from error
                    log.warning("L-BFGS diverged at scale %d, going on with Adam", scale)
                    self.notes.append("L-BFGS diverged; Adam took over from the last good picture.")
                    x.copy_(self._best)
                    optimizer = "adam"
                    self._minimizer = Adam(RESCUE_RATE)
                    continue
                finally:
                    self.step += 1
                    self._pixels_done += x.shape[-1] * x.shape[-2]
                self.loss = loss if math.isfinite(loss) else None
                yield self.progress("paint")
                if self._should_stop():
                    self.stopped = True
                    return

    def progress(self, stage: str) -> Progress:
        """Where the run stands."""
        plan, elapsed = self._plan, time.monotonic() - self._started
        left = max(0.0, plan.work - self._pixels_done)
        eta = elapsed / self._pixels_done * left if self.step >= 3 else None
        height, width = plan.sizes[self.scale]
        return Progress(
            stage,
            self.scale + 1,
            len(plan.sizes),
            self.step,
            plan.total_steps,
            width,
            height,
            self.loss,
            eta,
        )

    def preview_due(self, steps: int | None) -> bool:
        """Whether it is time for a preview; remembers the answer yes."""
        now = time.monotonic()
        if steps is not None:
            return self.step % steps == 0
        due = self.step == 1 or now - self._last_preview >= PREVIEW_INTERVAL_S
        if due:
            self._last_preview = now
        return due

    def _make(self, optimizer: str) -> Minimizer:
        return Adam() if optimizer == "adam" else LBFGS(self._plan.history)


def without_hidden_colors(job: Job) -> Job:
    """``job`` with nothing left of what is fully transparent in its pictures."""

    def seen(picture: Picture) -> Picture:
        if picture.alpha is None or float(picture.alpha.min()) > 0:
            return picture
        rgb = resample.replace_hidden(picture.rgb, picture.alpha)
        return dataclasses.replace(picture, rgb=rgb)

    styles = tuple(dataclasses.replace(s, picture=seen(s.picture)) for s in job.styles)
    return dataclasses.replace(job, content=seen(job.content), styles=styles)


def build(entry: ExtractorEntry, request: ExtractorRequest) -> torch.nn.Module:
    """The network of an extractor; what goes wrong in a plug-in becomes an `EngineError`."""
    try:
        net: torch.nn.Module = entry.factory(request)
        return net
    except Exception as error:
        raise bad_plugin("feature extractor", request.features, error) from error


def bad_plugin(kind: str, name: str, error: Exception) -> Exception:
    """What to raise for an ``error`` that came out of something registered through the hooks."""
    if isinstance(error, EngineError) or is_out_of_memory(error):
        return error
    return EngineError(
        "bad-plugin",
        f"The {kind} {name!r} failed: {type(error).__name__}: {error}.",
        "Leave it out, and tell its author.",
    )


def postprocessors(settings: Settings) -> list[str]:
    """The names in ``settings.postprocess``."""
    return [n.strip() for n in settings.postprocess.split(",") if n.strip()]


def is_out_of_memory(error: Exception) -> bool:
    """Whether a NumPy or PyTorch error means that there is not enough memory."""
    # PyTorch's CPU allocator and some GPU backends have no exception type of their own.
    signs = "not enough memory", "out of memory", "allocate memory"
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def out_of_memory() -> EngineError:
    """The error for a picture too large for the memory at hand."""
    return EngineError(
        "out-of-memory",
        "There is not enough memory to paint at this size.",
        "Choose a smaller working size, or close other programs.",
    )
