"""What a painting needs before it begins: a plan that fits into memory, a device, and networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from styleengine.descent.pace import Pace
from styleengine.jobs import Job
from styleengine.loss.style_losses import StyleLoss
from styleengine.machine import devices
from styleengine.networks.extractor import ExtractorEntry, ExtractorRequest
from styleengine.networks.precision import WRONG_DEVICE
from styleengine.networks.shelf import Shelf, Shelved
from styleengine.networks.trunk import Precision
from styleengine.pictures.samples import bytes_per_pixel
from styleengine.planning.fitting import fit_to_memory, needed
from styleengine.planning.layout import Layout
from styleengine.planning.plan import Plan, features_for, fine_features_for, make_plan
from styleengine.plugins.registry import Plugins
from styleengine.protocol import PREVIEW_PX, EngineError, Sentence, Settings
from styleengine.scene import going_on, steady
from styleengine.together.group import Group


@dataclass(frozen=True)
class Ready:
    """All that is settled before a job's first step.

    ``chosen`` are its settings with the network named; ``notes`` what the user should know of how
    it will be painted.
    """

    chosen: Settings
    plan: Plan
    layouts: list[Layout]
    device: torch.device
    networks: Mapping[str, Shelved]
    style_loss: StyleLoss
    notes: tuple[Sentence, ...] = ()

    @property
    def precisions(self) -> dict[str, Precision]:
        """In which precision each network computes."""
        return {name: found.trunk.precision for name, found in self.networks.items()}


class Workshop:
    """Gets paintings ready; keeps the networks loaded from one to the next."""

    def __init__(self, plugins: Plugins, group: Group) -> None:
        self._plugins, self._group = plugins, group
        self._shelf = Shelf()

    def prepare(self, settings: Settings, weights: str | None) -> None:
        """Loads the network that a painting with ``settings`` will need."""
        chosen, entry = self._chosen(settings, weights)
        plan = make_plan(chosen, PREVIEW_PX, PREVIEW_PX, entry)
        self.networks(chosen, weights, plan, devices.pick(settings.device))

    def estimate(
        self, settings: Settings, width: int, height: int, weights: str | None
    ) -> tuple[float | None, int]:
        """As `Engine.estimate`."""
        chosen, entry, plan = self.planned(settings, weights, width, height)
        device = devices.pick(settings.device)
        networks = self.networks(chosen, weights, plan, device)
        trunks = {name: found.trunk for name, found in networks.items()}
        additive = self._plugins.style_loss(plan.style_loss).additive
        parts, here = self._group.size, self._group.here
        plan, layouts = fit_to_memory(
            plan, width, height, chosen, entry, trunks, additive, device, parts, here
        )
        used = for_scales(networks, plan)
        pace = pace_of(plan, layouts, used, device)
        pace.reach(min(going_on.passed(plan) + 1, len(plan.sizes) - 1))
        return pace.progress("prepare").eta_s, needed(plan, layouts, device)

    def ready(self, job: Job) -> Ready:
        """Plans a job, loads its networks, fits it into memory. Raises `EngineError`."""
        settings, whole, notes = job.settings, job.whole, []
        chosen, entry, plan = self.planned(settings, job.weights, whole.width, whole.height)
        style_loss = self._plugins.style_loss(plan.style_loss)
        device = self.device(settings)
        try:
            networks = self.networks(chosen, job.weights, plan, device)
        except EngineError as error:
            if error.code != WRONG_DEVICE or settings.device != "auto":
                raise
            notes.append(
                Sentence.of("{problem} The processor was used instead.", problem=error.sentence)
            )
            device = torch.device("cpu")
            networks = self.networks(chosen, job.weights, plan, device)
        wanted = plan.sizes[-1]
        plan, layouts = fit_to_memory(
            plan,
            whole.width,
            whole.height,
            chosen,
            entry,
            {name: found.trunk for name, found in networks.items()},
            style_loss.additive,
            device,
            1 if job.spot is not None else self._group.size,
            self._group.here,
            steady.MEMORY if job.steady or job.frame is not None else 0,
            2 * bytes_per_pixel(job.content),  # and as many for the result
        )
        if plan.sizes[-1] != wanted:
            height, width = plan.sizes[-1]
            notes.append(
                Sentence.of(
                    "Memory is short: painted at {size} pixels and then enlarged.",
                    size=f"{width}×{height}",
                )
            )
        return Ready(chosen, plan, layouts, device, networks, style_loss, tuple(notes))

    def device(self, settings: Settings) -> torch.device:
        """The device of this process: those of a group on one computer take a card each."""
        device = devices.pick(settings.device)
        if self._group.size > 1 and device.type == "cuda" and settings.device in ("auto", "cuda"):
            return torch.device("cuda", self._group.place % torch.cuda.device_count())
        return device

    def networks(
        self,
        settings: Settings,
        weights: str | None,
        plan: Plan,
        device: torch.device,
        precisions: Mapping[str, Precision] | None = None,
    ) -> dict[str, Shelved]:
        """The networks of a plan by the name of their extractor, in ``precisions`` if given.

        Each has all of the plan's layers, so that the draft is the one of a quick preview.
        """
        return {
            name: self._shelf.take(
                self._plugins.extractor(name),
                ExtractorRequest(plan.layers, settings.pooling, weights, name),
                device,
                None if precisions is None else precisions[name],
            )
            for name in dict.fromkeys(plan.features_at(k) for k in range(len(plan.sizes)))
        }

    def planned(
        self, settings: Settings, weights: str | None, width: int, height: int
    ) -> tuple[Settings, ExtractorEntry, Plan]:
        """Settings that name the network, that network's entry, and the plan of a painting."""
        chosen, entry = self._chosen(settings, weights)
        fine = fine_features_for(settings, weights)
        return chosen, entry, make_plan(chosen, width, height, entry, fine=fine)

    def _chosen(self, settings: Settings, weights: str | None) -> tuple[Settings, ExtractorEntry]:
        chosen = dataclasses.replace(settings, features=features_for(settings, weights))
        return chosen, self._plugins.extractor(chosen.features)


def pace_of(
    plan: Plan,
    layouts: Sequence[Layout],
    used: Sequence[Shelved],
    device: torch.device,
    memory: int | None = None,
    styles: int = 1,
) -> Pace:
    """The pace of a painting on ``device`` with the networks ``used``, one for each scale."""
    rates = [found.rate for found in used]
    return Pace(plan, layouts, used[0].source, rates, memory, styles, devices.threads(device))


def for_scales(networks: Mapping[str, Shelved], plan: Plan) -> list[Shelved]:
    """The network of each scale of a ``plan``."""
    return [networks[plan.features_at(scale)] for scale in range(len(plan.sizes))]
