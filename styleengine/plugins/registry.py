"""Loads plug-ins and keeps what they register. A broken plug-in is reported, never fatal."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from styleengine.machine.failures import bad_plugin
from styleengine.networks.extractor import ExtractorEntry
from styleengine.plugins import bundled, hookspecs
from styleengine.protocol import EngineError, Sentence

if TYPE_CHECKING:
    import numpy as np

    from styleengine.jobs import Event, Job
    from styleengine.loss.style_losses import StyleLoss
    from styleengine.networks.base import Network
    from styleengine.networks.extractor import ExtractorRequest

GROUP = "styleengine"
SWITCH = "STYLEENGINE_PLUGINS"
"""Environment variable: names of the plug-ins to load, separated by commas; empty for none."""

Entry = TypeVar("Entry")

log = logging.getLogger(__name__)


@dataclass
class Plugins:
    """Everything registered through the hooks, by name, and what went wrong on the way."""

    style_losses: dict[str, tuple[Callable[[], StyleLoss], str]] = field(default_factory=dict)
    extractors: dict[str, ExtractorEntry] = field(default_factory=dict)
    postprocessors: dict[str, tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], str]] = field(
        default_factory=dict
    )
    loaded: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    manager: pluggy.PluginManager = field(
        default_factory=lambda: pluggy.PluginManager("styleengine")
    )

    def add(self, name: str, plugin: object, origin: str = "") -> None:
        """Registers one plug-in; one that fails at it is left out whole and listed as broken."""
        if self.manager.has_plugin(name) or self.manager.is_registered(plugin):
            # Stop here: dropping it further down would drop the one that came first.
            self._report(name, ValueError("it, or another plug-in of this name, is loaded already"))
            return
        before = (dict(self.style_losses), dict(self.extractors), dict(self.postprocessors))
        try:
            self.manager.register(plugin, name)
            self.manager.check_pending()
            self._collect(plugin)
        except Exception as error:
            self._drop(name, plugin, error)
            self.style_losses, self.extractors, self.postprocessors = before
        else:
            self.loaded[name] = origin

    @property
    def observed(self) -> bool:
        """Whether anybody observes runs."""
        return bool(self.manager.hook.observe.get_hookimpls())

    def observe(self, job: Job, event: Event) -> None:
        """Tells every observer; one that raises is dropped for good and the others still hear.

        Unlike a plain pluggy call, which stops at the first implementation that raises.
        """
        for implementation in reversed(self.manager.hook.observe.get_hookimpls()):
            arguments = {"job": job, "event": event}
            try:
                implementation.function(*(arguments[a] for a in implementation.argnames))
            except Exception as error:
                self._drop(implementation.plugin_name, implementation.plugin, error)

    def style_loss(self, name: str) -> StyleLoss:
        """A new style loss of that name; raises `EngineError`."""
        return _find(self.style_losses, name, Sentence("style loss"))[0]()

    def extractor(self, name: str) -> ExtractorEntry:
        """The extractor of that name; raises `EngineError`."""
        return _find(self.extractors, name, Sentence("feature extractor"))

    def postprocessor(self, name: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """The post-processor of that name; raises `EngineError`."""
        return _find(self.postprocessors, name, Sentence("post-processor"))[0]

    def postprocess(self, name: str, image: np.ndarray, content: np.ndarray) -> np.ndarray:
        """``image`` as that post-processor returns it; raises `EngineError`."""
        import numpy as np

        try:
            done = np.asarray(self.postprocessor(name)(image, content))
        except Exception as error:
            raise bad_plugin(Sentence("post-processor"), name, error) from error
        if done.shape != image.shape or not np.isfinite(done).all():
            raise EngineError(
                "bad-plugin",
                "The post-processor {name} did not return a picture of the same size.",
                "Leave it out, and tell its author.",
                name=repr(name),
            )
        # What comes after writes into it.
        own = done.flags.writeable and not np.may_share_memory(done, content)
        return done.astype(np.float32, copy=not own)

    def capabilities(self) -> dict[str, dict[str, str]]:
        """Names and labels of all that can be chosen, for the protocol's ``ready``."""
        return {
            "style_losses": {n: label for n, (_, label) in self.style_losses.items()},
            "features": {n: e.label for n, e in self.extractors.items()},
            "postprocessors": {n: label for n, (_, label) in self.postprocessors.items()},
        }

    def _collect(self, plugin: object) -> None:
        def style_loss(name: str, factory: Callable[[], StyleLoss], label: str) -> None:
            self._new(self.style_losses, name)
            self.style_losses[name] = (factory, label)

        def extractor(
            name: str,
            factory: Callable[[ExtractorRequest], Network],
            style_layers: tuple[str, ...],
            content_layer: str,
            label: str,
        ) -> None:
            self._new(self.extractors, name)
            self.extractors[name] = ExtractorEntry(factory, style_layers, content_layer, label)

        def postprocessor(
            name: str, function: Callable[[np.ndarray, np.ndarray], np.ndarray], label: str
        ) -> None:
            self._new(self.postprocessors, name)
            self.postprocessors[name] = (function, label)

        others = [p for p in self.manager.get_plugins() if p is not plugin]
        hooks = {
            "register_style_losses": style_loss,
            "register_extractors": extractor,
            "register_postprocessors": postprocessor,
        }
        for hook, register in hooks.items():
            self.manager.subset_hook_caller(hook, others)(register=register)

    def _new(self, registry: dict[str, Any], name: str) -> None:
        if name in registry:
            raise ValueError(f"the name {name!r} is taken")

    def _report(self, name: str, error: BaseException) -> None:
        log.warning("plug-in %s is broken and was left out: %s", name, error)
        log.debug("its traceback", exc_info=error)
        self.broken[name] = f"{type(error).__name__}: {error}"

    def _drop(self, name: str, plugin: object, error: Exception) -> None:
        self._report(name, error)
        self.loaded.pop(name, None)
        if self.manager.is_registered(plugin):
            self.manager.unregister(plugin)


def _find(registry: dict[str, Entry], name: str, kind: Sentence) -> Entry:
    if name not in registry:
        raise EngineError(
            "unknown-name",
            "There is no {kind} called {name}.",
            "Known are: {names}.",
            kind=kind,
            name=repr(name),
            names=", ".join(registry) or "none",
        )
    return registry[name]


def load_plugins(points: Iterable[EntryPoint] | None = None) -> Plugins:
    """The built-ins and all installed plug-ins that `SWITCH` allows."""
    plugins = Plugins()
    plugins.manager.add_hookspecs(hookspecs)
    plugins.add("builtins", bundled, "styleengine")
    allowed = os.environ.get(SWITCH)
    names = None if allowed is None else {n.strip() for n in allowed.split(",") if n.strip()}
    for point in entry_points(group=GROUP) if points is None else points:
        if names is not None and point.name not in names:
            continue
        try:
            plugin = point.load()
        except (Exception, SystemExit) as error:
            plugins._report(point.name, error)
            continue
        plugins.add(point.name, plugin, point.value)
    return plugins
