"""Choosing where to compute, and in which precision and memory layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from styleengine.protocol import EngineError, Sentence

if TYPE_CHECKING:
    import torch


def available() -> list[str]:
    """Names of the devices at hand, best first; "cpu" is always among them."""
    import torch

    names = []
    if torch.cuda.is_available():
        names += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        names.append("xpu")
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def describe(name: str) -> Sentence:
    """What a person calls the device: "NVIDIA GeForce RTX 4070", "CPU, 8 threads"."""
    import torch

    if name.startswith("cuda"):
        return Sentence(torch.cuda.get_device_name(torch.device(name)))
    if name == "mps":
        return Sentence("Apple GPU")
    if name == "xpu":
        return Sentence(torch.xpu.get_device_name())
    threads = torch.get_num_threads()
    return (
        Sentence.of("CPU, {n} threads", n=threads) if threads > 1 else Sentence("CPU, one thread")
    )


def threads(device: torch.device) -> int:
    """How many threads compute on the processor; 1 where that is left to another device."""
    import torch

    return torch.get_num_threads() if device.type == "cpu" else 1


def pick(name: str) -> torch.device:
    """The device called ``name``; "auto" takes the best at hand. Raises `EngineError`."""
    import torch

    names = available()
    if name == "auto":
        return torch.device(names[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted in names:
        return torch.device(wanted)
    raise EngineError(
        "no-device",
        "The device {name} is not available on this computer.",
        "Use one of: {names}.",
        name=repr(name),
        names=", ".join(["auto", *names]),
    )
