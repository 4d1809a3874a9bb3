"""`Engine.run`: the one way to paint a picture, as a generator of events."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from styleengine.checking import check, postprocessors
from styleengine.course import Course
from styleengine.descent.pace import Pace
from styleengine.descent.painter import Painter
from styleengine.jobs import Event, Job, Result
from styleengine.loss.courses import Courses
from styleengine.machine import allocator, devices
from styleengine.machine.failures import memory_errors
from styleengine.networks.faces import LONG_SIDE, Face, FaceFinder
from styleengine.networks.trunk import Precision
from styleengine.painting_spots import SpotPainter
from styleengine.pictures.picture import Picture
from styleengine.pictures.samples import in_floats
from styleengine.planning.fitting import needed
from styleengine.planning.layout import Layout
from styleengine.planning.plan import Plan
from styleengine.plugins.registry import Plugins, load_plugins
from styleengine.protocol import Progress, Settings
from styleengine.scene import finishing, going_on, steady
from styleengine.scene.scene import Scene
from styleengine.together import launch
from styleengine.together.group import Group
from styleengine.together.ranks import lost
from styleengine.workshop import Ready, Workshop, for_scales, pace_of


@dataclass(frozen=True)
class _Order:
    """What all processes of a run that is shared out have to know of it."""

    job: Job
    chosen: Settings
    plan: Plan
    layouts: list[Layout]
    faces: tuple[Face, ...]
    precisions: dict[str, Precision]
    follows: bool


class Engine:
    """Paints pictures; keeps the networks loaded from one run to the next."""

    def __init__(self, plugins: Plugins | None = None, group: Group | None = None) -> None:
        """``plugins``: what may be chosen by name; all installed ones when None.

        Of a ``group`` of processes the first one runs jobs, and the others `follow` it; None for
        the one that this process has joined.
        """
        self.plugins = plugins if plugins is not None else load_plugins()
        self.group = launch.group() if group is None else group
        self.workshop = Workshop(self.plugins, self.group)
        self._faces = FaceFinder()
        self._courses = Courses()

    def prepare(self, settings: Settings, weights: str | None = None) -> None:
        """Loads the network that a run with ``settings`` will need, so that it can begin at once.

        ``weights`` as in `Job`. Raises `EngineError`, as the run would.
        """
        with memory_errors():
            self.workshop.prepare(settings, weights)
        if settings.faces == "keep" and settings.preset != "classic":
            self._faces.prepare()

    def estimate(
        self, settings: Settings, width: int, height: int, weights: str | None = None
    ) -> tuple[float | None, int]:
        """About how many seconds a painting of that size takes that goes on from its preview, and
        how many bytes of memory at most; None for a time that nobody knows beforehand.

        Loads the networks. Raises `EngineError`, as the run would.
        """
        return self.workshop.estimate(settings, width, height, weights)

    def run(self, job: Job, should_stop: Callable[[], bool] = lambda: False) -> Generator[Event]:
        """Paints ``job``, yielding `Progress` and `Preview` events and, last, one `Result`.

        ``should_stop`` is asked after each step; once it says yes, the `Result` holds what there
        is. To drop the run without a result, close the generator. Raises `EngineError` for
        everything the user can do something about. The same job gives the same picture on the
        same device with the same number of threads.
        """
        if self.group.busy:  # an earlier run has lost the others
            raise lost()
        observed = self.plugins.observed
        content = in_floats(job.content) if observed else job.content
        told = job if content is job.content else dataclasses.replace(job, content=content)
        dropped: list[bool] = []
        events = self._run(job, lambda: bool(dropped) or should_stop(), dropped)
        try:
            with memory_errors():
                for event in events:
                    if observed:
                        self.plugins.observe(told, _in_floats(event))
                    yield event
        except BaseException:
            dropped.append(True)
            for _ in events if self.group.busy else ():  # the others want to be met
                pass
            raise
        finally:
            allocator.give_back()

    def follow(self) -> None:
        """Takes part in the runs of the group's first process until that one says it is done.

        Raises `EngineError` where a run cannot go on, which ends it for all.
        """
        while (order := self.group.first(None)) is not None:
            self.group.begin()
            with memory_errors():
                for _ in self._follow(order):
                    pass
            self.group.end()
            allocator.give_back()

    def _run(
        self, job: Job, should_stop: Callable[[], bool], dropped: Sequence[bool]
    ) -> Iterator[Event]:
        """The events of a run, which no longer matter once something is in ``dropped``."""
        started = time.monotonic()
        yield Progress("prepare")
        check(job, self.plugins)
        settings, whole = job.settings, job.whole
        ready = self.workshop.ready(job)
        plan, layouts, device, notes = ready.plan, ready.layouts, ready.device, [*ready.notes]
        scene = Scene.of(job, plan, device)
        if settings.preset != "classic":
            notes += scene.enlarged()
        if settings.faces == "keep" and settings.preset != "classic":
            scene = dataclasses.replace(scene, faces=self._faces.find(scene.small(LONG_SIDE)))
        first = 0
        if job.frame is not None and job.spot is None and settings.preset != "classic":
            found = steady.followed(scene.levels.source, job.frame)
            if found is not None:
                first, plan = steady.planned(plan, found)
                scene = dataclasses.replace(scene, plan=plan, followed=found)
        if job.spot is not None:
            yield from self._spot(job, scene, ready, should_stop, started)
            return
        used = for_scales(ready.networks, plan)
        memory = needed(plan, layouts, device)
        pace = pace_of(plan, layouts, used, device, memory, len(job.styles))
        painter = Painter(plan, layouts, pace, should_stop)
        if layouts[-1].parts > 1:
            follows = scene.followed is not None
            self.group.begin()
            order = _Order(job, ready.chosen, plan, layouts, scene.faces, ready.precisions, follows)
            self.group.first(order)
        yield pace.progress("prepare")
        before = None if scene.followed is not None else job.before
        classic = settings.preset == "classic"  # which begins with the photo
        if before is not None and going_on.fits(before, whole) and not classic:
            first, picture = going_on.start(scene, before, settings)
            painter.go_on(first, picture)
            del picture
        else:
            painter.begin(first, scene)
        shared = next((k for k in range(first + 1, len(layouts)) if layouts[k].parts > 1), None)
        course = Course(job, scene, painter, pace, used, ready.style_loss, self.group)
        yield from course.alone(first, shared or len(plan.sizes))
        image: Tensor | Picture | None = None
        if self.group.busy:
            go_on_at = self.group.first(None if painter.stopped else shared)
            if go_on_at is not None:
                image = yield from course.together(go_on_at)
        image = painter.release() if image is None else image
        self.group.end()
        if dropped:
            return

        yield pace.progress("finish")
        allocator.give_back()
        touches = [partial(self.plugins.postprocess, n) for n in postprocessors(settings)]
        frame = None
        if isinstance(image, Picture):
            result = image
        else:
            image = image.cpu()
            result = finishing.finished(scene, image, touches)
            frame = steady.frame(scene.levels.source, image) if job.steady else None
        seconds = time.monotonic() - started
        about = f"{devices.describe(str(device))}, {used[0].trunk.precision.name}"
        notes += painter.notes
        height, width = plan.sizes[painter.scale]
        reached = width, height
        stopped = painter.stopped
        yield Result(
            result, settings, used[0].source, about, seconds, stopped, reached, tuple(notes), frame
        )

    def _spot(
        self,
        job: Job,
        scene: Scene,
        ready: Ready,
        should_stop: Callable[[], bool],
        started: float,
    ) -> Iterator[Event]:
        """Paints the spot of a job."""
        settings, device, style_loss = job.settings, ready.device, ready.style_loss
        passed = going_on.passed(scene.plan)
        yield Progress("prepare")  # the faces may have taken long
        self._courses.begin(job)
        base = self._courses.base(job, scene)
        if base is None:
            plan = scene.plan.upto(passed)
            used = for_scales(ready.networks, plan)
            pace = pace_of(plan, ready.layouts, used, device)
            painter = Painter(plan, ready.layouts, pace, should_stop)
            painter.begin(0, scene)
            unseen = dataclasses.replace(job, preview=0)
            course = Course(unseen, scene, painter, pace, used, style_loss, self.group)
            yield from course.alone(0, passed + 1)
            base = painter.release()
            if not painter.stopped:
                self._courses.keep(base)
        begun = (passed, base)
        spot = SpotPainter(job, scene, ready.networks, style_loss, device, begun, self._courses)
        yield from spot.paint(should_stop)
        unfinished = job.spot is not None and job.spot.ready
        names = [] if unfinished else postprocessors(settings)
        touches = [partial(self.plugins.postprocess, n) for n in names]
        picture, seconds = spot.picture(touches), time.monotonic() - started
        about = str(devices.describe(str(device)))
        yield Result(picture, settings, spot.source, about, seconds, spot.stopped)

    def _follow(self, order: _Order) -> Iterator[Event]:
        """The part of a run that another process than the first has in it."""
        job, plan, layouts = order.job, order.plan, order.layouts
        device = self.workshop.device(order.chosen)
        networks = self.workshop.networks(order.chosen, job.weights, plan, device, order.precisions)
        scene = dataclasses.replace(Scene.of(job, plan, device), faces=order.faces)
        if order.follows and job.frame is not None:
            found = steady.followed(scene.levels.source, job.frame, 0.0)
            scene = dataclasses.replace(scene, followed=found)
        pace = Pace(plan, layouts)
        painter = Painter(plan, layouts, pace, lambda: False)
        used = for_scales(networks, plan)
        go_on_at = self.group.first(None)
        if go_on_at is not None:
            style_loss = self.plugins.style_loss(plan.style_loss)
            course = Course(job, scene, painter, pace, used, style_loss, self.group)
            yield from course.together(go_on_at)


def _in_floats(event: Event) -> Event:
    """``event`` as observers are told it, who may compute with its picture as with any array."""
    if isinstance(event, Progress):
        return event
    picture = in_floats(event.picture)
    return event if picture is event.picture else dataclasses.replace(event, picture=picture)
