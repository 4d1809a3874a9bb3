"""Which build of PyTorch fits this computer: the graphics card, and what that takes."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from language.texts import N_, _
from setup.system import System

GB = 10**9
BACKENDS = re.compile(r"auto|cpu|cuda|cu\d{2,3}|rocm[\d.]+|xpu")
# For cards and drivers that are too old for what uv chooses.
OLD_CUDA = "cu126"
NEW_CUDA = "cu130"

VENDORS = {"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel"}
BRANDS = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel", "apple": "Apple"}


@dataclass(frozen=True)
class Card:
    """A graphics card: "nvidia", "amd", "intel", "apple" or "", and what its maker calls it."""

    maker: str = ""
    name: str = ""


@dataclass(frozen=True)
class Size:
    """What an environment takes, in bytes: on the disk in the end, and free while it is made."""

    stays: int
    needs: int


# Measured with torch 2.13: unpacked torch and its libraries, and room to work in.
CPU, CUDA, ROCM, XPU = (
    Size(1 * GB, 3 * GB),
    Size(5 * GB, 8 * GB),
    Size(15 * GB, 25 * GB),
    Size(6 * GB, 9 * GB),
)

LABELS = {
    "auto": N_("Automatic"),
    "cpu": N_("For the processor only"),
    "cuda": N_("For NVIDIA cards (CUDA)"),
    "cu126": N_("For older NVIDIA cards (CUDA 12.6)"),
    "rocm6.4": N_("For AMD cards (ROCm)"),
    "xpu": N_("For Intel cards (XPU)"),
}


def choices(system: System) -> list[str]:
    """The builds that can be chosen on this system, best first."""
    if system.platform == "darwin":
        return ["auto"]
    if system.arch == "arm64":
        return ["auto", "cpu", "cuda"]
    all_of_them = ["auto", "cpu", "cuda", "cu126", "xpu"]
    return [*all_of_them, "rocm6.4"] if system.platform == "linux" else all_of_them


def resolved(backend: str, card: Card, system: System) -> str:
    """What ``auto`` comes to: "cpu", "cuda", "rocm", "xpu" or "mps"."""
    if system.platform == "darwin":
        return "mps"
    if backend == "auto":
        # Intel's build is large and seldom worth it; whoever wants it says so.
        if card.maker == "amd" and system.platform == "linux":
            return "rocm"
        return "cuda" if card.maker == "nvidia" else "cpu"
    return "cuda" if backend.startswith("cu") else "rocm" if backend.startswith("rocm") else backend


def for_uv(backend: str, card: Card, system: System) -> str:
    """What uv is told; "" where there is only one build. Its own ``auto`` asks the driver."""
    if system.platform == "darwin":
        return ""
    if backend == "auto":
        return "cpu" if resolved(backend, card, system) == "cpu" else "auto"
    return NEW_CUDA if backend == "cuda" else backend


def size_of(backend: str, card: Card, system: System) -> Size:
    """The disk space for a backend."""
    kind = resolved(backend, card, system)
    return {"cuda": CUDA, "rocm": ROCM, "xpu": XPU}.get(kind, CPU)


def in_words(backend: str, card: Card, system: System) -> str:
    """What is going to be installed, for people."""
    kind = resolved(backend, card, system)
    if kind == "mps":
        return _("PyTorch for Apple's processors and their graphics")
    named = card.name or BRANDS.get(card.maker, "")
    if kind == "cpu" and card.maker:
        return _("PyTorch for the processor; the {card} stays unused").format(card=named)
    if kind == "cpu":
        return _("PyTorch for the processor (no graphics card that it could use was found)")
    label = {"cuda": "cuda", "rocm": "rocm6.4", "xpu": "xpu"}[kind]
    return _("PyTorch: {build}").format(build=_(LABELS[label]) + (f", {named}" if named else ""))


def find_card(system: System, root: Path = Path("/")) -> Card:
    """The graphics card that PyTorch would use best, by what the system's files say."""
    if system.platform == "darwin":
        return Card("apple", "Apple M" if system.arch == "arm64" else "")
    if system.platform == "win32":
        return best([card_named(name) for name in _windows_adapters()])
    return best([*_nvidia_cards(root), *_drm_cards(root)])


def best(cards: list[Card]) -> Card:
    """The first of NVIDIA's, else of AMD's, else of Intel's."""
    for maker in ("nvidia", "amd", "intel"):
        for card in cards:
            if card.maker == maker:
                return card
    return Card()


def card_named(name: str) -> Card:
    """The card that Windows calls ``name``."""
    found = re.search(r"nvidia|amd|radeon|intel", name, re.IGNORECASE)
    maker = found[0].lower() if found else ""
    return Card("amd" if maker == "radeon" else maker, name)


def _nvidia_cards(root: Path) -> list[Card]:
    """Cards that NVIDIA's own driver runs; with another driver PyTorch cannot use them."""
    found = []
    for file in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        try:
            model = re.search(r"^Model:\s*(.+)$", file.read_text(errors="replace"), re.MULTILINE)
        except OSError:
            continue
        found.append(Card("nvidia", model[1].strip() if model else ""))
    if not found and (root / "dev/nvidiactl").exists():
        found.append(Card("nvidia"))
    return found


def _drm_cards(root: Path) -> list[Card]:
    """Intel's cards, and AMD's where there is ROCm, without which PyTorch cannot use them."""
    rocm = (root / "opt/rocm").exists() or (root / "usr/bin/rocm_agent_enumerator").exists()
    found = []
    for file in sorted(root.glob("sys/class/drm/card*/device/vendor")):
        try:
            maker = VENDORS.get(file.read_text().strip(), "")
        except OSError:
            continue
        if maker == "intel" or (maker == "amd" and rocm):
            found.append(Card(maker))
    return found


def _windows_adapters() -> list[str]:
    """The names of the graphics cards in Windows's registry."""
    if sys.platform != "win32":
        return []
    import winreg

    reg: Any = winreg
    place = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
    names = []
    try:
        with reg.OpenKey(reg.HKEY_LOCAL_MACHINE, place) as display:
            for index in range(reg.QueryInfoKey(display)[0]):
                key = reg.EnumKey(display, index)
                if not key.isdigit():
                    continue
                with reg.OpenKey(display, key) as adapter:
                    names.append(str(reg.QueryValueEx(adapter, "DriverDesc")[0]))
    except OSError:
        pass
    return names
