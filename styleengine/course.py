"""The course of a run, scale by scale: what one process paints alone, and what several share."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from styleengine.descent.pace import Pace
from styleengine.descent.painter import Painter
from styleengine.jobs import Event, Job, Preview
from styleengine.loss.making import objective_of
from styleengine.loss.style_losses import StyleLoss
from styleengine.machine import allocator
from styleengine.networks.shelf import Shelved
from styleengine.pictures.picture import Picture
from styleengine.scene import finishing, resample
from styleengine.scene.scene import Scene
from styleengine.together.group import Group
from styleengine.together.stripe import Stripe


@dataclass(frozen=True)
class Course:
    """Paints the scales of a plan, each with the network ``used`` for it."""

    job: Job
    scene: Scene
    painter: Painter
    pace: Pace
    used: Sequence[Shelved]
    style_loss: StyleLoss
    group: Group

    def alone(self, first: int, end: int) -> Iterator[Event]:
        """The scales from ``first``, which has begun, up to ``end``."""
        for scale in range(first, end):
            if scale > first:
                self.painter.begin(scale, self.scene)
            yield from self._scale(scale)
            if self.painter.stopped:
                return

    def together(self, first: int) -> Generator[Event, None, Tensor | Picture | None]:
        """The scales from ``first`` on, by all processes of the group; returns the picture.

        That is the first one's, None for the others. It is finished if each can finish its rows.
        """
        stripes = {
            scale: Stripe.at_scale(self.group, self.scene.plan, scale, self.used[scale].trunk)
            for scale in range(first, len(self.scene.plan.sizes))
        }
        by_rows = finishing.goes_by_rows(self.scene, self.job)
        keeps_rows = by_rows and not self.job.preview and self.scene.followed is None
        keeps_rows = keeps_rows and (self.job.given_up or self.group.rank > 0)
        for scale, stripe in stripes.items():
            if keeps_rows:  # those of the scale before are its guide
                left = {k: each.seen for k, each in stripes.items() if k >= scale - 1}
                self.scene.levels.keep(left)
            self.painter.begin_shared(scale, self.scene, stripe)
            yield from self._scale(scale, stripe)
            if self.painter.stopped:
                break
        held = self.painter.release()
        allocator.give_back()
        if by_rows:
            return finishing.finished_together(self.scene, scale, held, stripe)
        return stripe.gathered_by_first(held)

    def _scale(self, scale: int, stripe: Stripe | None = None) -> Iterator[Event]:
        plan, painter = self.scene.plan, self.painter
        allocator.give_back()
        only = self.used[scale].trunk.only(plan.at(scale))
        side = painter.layouts[scale].side
        objective = objective_of(self.scene, scale, only, self.style_loss, side, stripe)
        self.scene.levels.rest(scale)
        # What was freed so far does not come in the sizes that the steps will ask for.
        allocator.give_back()
        for step in painter.paint(objective):
            yield step
            if self.job.preview and (stripe is None or painter.met):
                due = self.pace.preview_due(self.job.preview_steps)
                if stripe is None:
                    seen = painter.picture if due else None
                else:
                    seen = self._gathered(due, stripe)
                if seen is not None:
                    size = finishing.small_size(plan.sizes[scale], self.job.preview)
                    yield Preview(finishing.small(self.scene, seen, size), self.pace.step)
        del objective  # before the next one is made

    def _gathered(self, due: bool, stripe: Stripe) -> Tensor | None:
        """The picture at a preview's width, for the first process, if that says it is ``due``."""
        if not self.group.total(float(due and not self.group.rank))[0]:
            return None
        _, width = finishing.small_size(stripe.size, self.job.preview)
        held = self.painter.picture
        return stripe.gathered_by_first(resample.resize(held, (held.shape[-2], width)))
