"""`Engine.run`: the one way to paint a picture, as a generator of events."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from torch import Tensor

from styleengine.checking import postprocessors
from styleengine.descent.painter import Painter
from styleengine.jobs import Event, Job, Preview, Result
from styleengine.loss.making import objective_of
from styleengine.machine import allocator, devices
from styleengine.machine.failures import is_out_of_memory, out_of_memory
from styleengine.networks.extractor import ExtractorRequest
from styleengine.networks.precision import WRONG_DEVICE, choose_precision, seconds_per_pixel
from styleengine.networks.shelf import Network, bad_plugin, build
from styleengine.networks.trunk import Trunk
from styleengine.pictures.files import Picture, require_usable
from styleengine.pictures.picture import fit
from styleengine.planning.fitting import fit_to_memory, needed
from styleengine.planning.plan import Plan, fine_network, make_plan, network
from styleengine.planning.recipes import PREVIEW
from styleengine.plugins.registry import Plugins, load_plugins
from styleengine.protocol import EngineError, Progress, Sentence, Settings
from styleengine.scene import resample
from styleengine.scene.color import luma, with_luma
from styleengine.scene.scene import Scene


class Engine:
    """Paints pictures; keeps the network loaded from one run to the next."""

    def __init__(self, plugins: Plugins | None = None) -> None:
        """``plugins``: what may be chosen by name; all installed ones when None."""
        self.plugins = plugins if plugins is not None else load_plugins()
        self._known: dict[tuple[ExtractorRequest, torch.device], Network] = {}

    def prepare(self, settings: Settings, weights: str | None = None) -> None:
        """Loads the network that a run with ``settings`` will need, so that it can begin at once.

        ``weights`` as in `Job`. Raises `EngineError`, as the run would.
        """
        chosen = dataclasses.replace(settings, features=network(settings, weights))
        entry = self.plugins.extractor(chosen.features)
        plan = make_plan(chosen, PREVIEW, PREVIEW, entry)
        try:
            self._networks(chosen, weights, plan, devices.pick(settings.device))
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise out_of_memory() from error
            raise

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
        finally:
            allocator.give_back()

    def _run(self, job: Job, should_stop: Callable[[], bool]) -> Iterator[Event]:
        started = time.monotonic()
        yield Progress("prepare")
        self._check(job)
        settings = job.settings
        chosen = dataclasses.replace(settings, features=network(settings, job.weights))
        entry = self.plugins.extractor(chosen.features)
        fine = fine_network(settings, job.weights)
        plan = make_plan(chosen, job.content.width, job.content.height, entry, fine=fine)
        style_loss = self.plugins.style_loss(plan.style_loss)
        device = devices.pick(settings.device)
        notes = []
        try:
            networks = self._networks(chosen, job.weights, plan, device)
        except EngineError as error:
            if error.code != WRONG_DEVICE or settings.device != "auto":
                raise
            notes.append(
                Sentence.of("{problem} The processor was used instead.", problem=error.sentence)
            )
            device = devices.CPU
            networks = self._networks(chosen, job.weights, plan, device)
        wanted = plan.sizes[-1]
        trunks = {name: found.trunk for name, found in networks.items()}
        plan, layouts = fit_to_memory(plan, job.content, chosen, entry, trunks, style_loss, device)
        used = [networks[plan.network(scale)] for scale in range(len(plan.sizes))]
        if plan.sizes[-1] != wanted:
            height, width = plan.sizes[-1]
            notes.append(
                Sentence.of(
                    "Memory is short: painted at {size} pixels and then enlarged.",
                    size=f"{width}×{height}",
                )
            )
        scene = Scene.of(job, plan, device)
        source, rates = used[0].source, [found.rate for found in used]
        painter = Painter(plan, layouts, should_stop, source, rates, needed(scene, layouts))
        yield painter.progress("prepare")
        first, before = 0, job.before
        classic = settings.preset == "classic"  # which begins with the photo
        if before is not None and before.fits(job.content) and not classic:
            first = painter.follow(scene, before)
        else:
            painter.begin(first, scene)
        for scale in range(first, len(plan.sizes)):
            if scale > first:
                painter.begin(scale, scene)
            allocator.give_back()
            only = used[scale].trunk.only(plan.at(scale))
            objective = objective_of(scene, scale, only, style_loss, layouts[scale].side)
            # What was freed so far does not come in the sizes that the steps will ask for.
            allocator.give_back()
            for step in painter.paint(objective):
                yield step
                if job.preview and painter.preview_due(job.preview_steps):
                    yield Preview(self._preview(job, scene, painter), painter.step)
            if painter.stopped:
                break

        yield painter.progress("finish")
        picture = painter.release().cpu()
        del objective
        allocator.give_back()
        result = self._finish(job, scene, picture)
        if job.content.alpha is not None:
            hidden = job.content.alpha <= 0
            result.rgb[hidden] = job.content.rgb[hidden]
        seconds = time.monotonic() - started
        about = f"{devices.describe(str(device))}, {used[0].trunk.precision.name}"
        notes += painter.notes
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
        masked = [style.mask for style in job.styles if style.mask is not None]
        if masked and job.settings.preset == "classic":
            raise EngineError(
                "bad-setting",
                "The classic method paints one style everywhere.",
                "Choose the quality Fast or Best to paint styles in regions.",
            )
        if not all(mask.ndim == 2 and mask.size and np.isfinite(mask).all() for mask in masked):
            raise EngineError("bad-setting", "The mask of a style must be a gray picture.")
        for name in postprocessors(job.settings):
            self.plugins.postprocessor(name)

    def _networks(
        self, settings: Settings, weights: str | None, plan: Plan, device: torch.device
    ) -> dict[str, Network]:
        """The networks of a plan by name.

        Each has all of the plan's layers, so that the draft is the one of a quick preview.
        """
        names = dict.fromkeys(plan.network(scale) for scale in range(len(plan.sizes)))
        return {n: self._network(settings, n, weights, plan.layers, device) for n in names}

    def _network(
        self,
        settings: Settings,
        name: str,
        weights: str | None,
        layers: tuple[str, ...],
        device: torch.device,
    ) -> Network:
        s, entry = settings, self.plugins.extractor(name)
        request = ExtractorRequest(layers, s.pooling, weights, s.seed, name)
        key = (request, device)
        if key not in self._known:
            nets = [build(entry, request)]
            source = str(getattr(nets[0], "source", entry.label))
            kind = str(getattr(nets[0], "kind", type(nets[0]).__name__))

            def make() -> torch.nn.Module:
                return nets.pop() if nets else build(entry, request)

            precision = choose_precision(make, device, kind)
            allocator.give_back()
            trunk = Trunk(make(), device, precision)
            if len(self._known) > 1:  # one network and the draft are enough memory
                self._known.clear()
            rate = seconds_per_pixel(device, kind, precision)
            self._known[key] = Network(trunk, source, rate)
        return self._known[key]

    def _preview(self, job: Job, scene: Scene, painter: Painter) -> Picture:
        image = painter.picture
        height, width = image.shape[-2:]
        size = fit(width, height, min(max(width, height), job.preview))
        small = resample.resize(image, size).cpu()
        rgb = resample.to_array(scene.restore_colors(small))
        alpha = None
        seen = scene.levels.source.alpha(size)
        if seen is not None:
            alpha = seen[0, 0].cpu().numpy()
        return Picture(rgb, alpha, 8, job.content.name)

    def _finish(self, job: Job, scene: Scene, image: Tensor) -> Picture:
        content = scene.levels.source.picture
        full = resample.carry_to_full_size(image, content.rgb)
        if scene.keep_colors == "luminance":
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
            raise bad_plugin(Sentence("post-processor"), name, error) from error
        if done.shape != image.shape or not np.isfinite(done).all():
            raise EngineError(
                "bad-plugin",
                "The post-processor {name} did not return a picture of the same size.",
                "Leave it out, and tell its author.",
                name=repr(name),
            )
        return done.astype(np.float32, copy=False)
