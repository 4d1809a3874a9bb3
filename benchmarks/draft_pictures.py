"""The pictures that the draft network is trained on: photographs, paintings, drawings, noise.

Any folder of pictures will do. The network that is shipped was trained on those of freely licensed
Debian packages, unpacked with ``dpkg-deb -x`` into one folder; GCompris keeps its photographs and
paintings as WebP files inside Qt's resource files, which are searched for them.
"""

from __future__ import annotations

import importlib
import io
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from benchmarks.pairs import DEFAULT, ROOT
from styleengine.networks.vgg import calibration_image
from styleengine.scene.resample import resize

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SMALLEST, LARGEST = 160, 1280
"""Pictures with a shorter side below the one are left out; longer sides are scaled to the other."""
ALIKE = 3
"""Pictures that differ in no more of 64 bits, each of which tells light from dark, are the same."""


def read_folder(folder: Path) -> list[Tensor]:
    """All pictures under ``folder``, each once, as (1, 3, H, W) uint8."""
    found: list[Tensor] = []
    seen: list[np.ndarray] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            files: Iterator[bytes] = iter([path.read_bytes()])
        elif path.suffix == ".rcc":
            files = _webp_files(path.read_bytes())
        else:
            continue
        for data in files:
            image = _decoded(data)
            if image is None:
                continue
            small = np.asarray(image.convert("L").resize((8, 8), Image.Resampling.BOX), np.float32)
            mark = small > small.mean()
            if all((mark != other).sum() > ALIKE for other in seen):
                seen.append(mark)
                found.append(_tensor(image))
    return found


def own_drawings() -> list[Tensor]:
    """The project's own sample pictures that no benchmark judges."""
    folder = str(ROOT / "install")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    samples = importlib.import_module("samples")
    judged = {name for pair in DEFAULT for name in pair}
    names = [n for n in samples.STYLES.values() if n not in judged]
    return [_tensor(samples.draw(n, 640).convert("RGB")) for n in names]


def _webp_files(data: bytes) -> Iterator[bytes]:
    at = data.find(b"RIFF")
    while at >= 0:
        size = struct.unpack("<I", data[at + 4 : at + 8])[0] + 8
        if data[at + 8 : at + 12] == b"WEBP":
            yield data[at : at + size]
        at = data.find(b"RIFF", at + 4)


def _decoded(data: bytes) -> Image.Image | None:
    image = Image.open(io.BytesIO(data))
    if min(image.size) < SMALLEST or max(image.size) > 3.2 * min(image.size):
        return None
    if image.mode in ("RGBA", "LA", "P", "PA"):
        image = image.convert("RGBA")
        opaque = np.asarray(image.getchannel("A"), np.float32).mean() / 255
        if opaque < 0.5:
            return None
        ground = Image.new("RGBA", image.size, (150, 160, 150, 255))
        image = Image.alpha_composite(ground, image)
    image = image.convert("RGB")
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return image


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image, np.uint8)).permute(2, 0, 1)[None].contiguous()


class Crops:
    """Random crops (1, 3, size, size), 0–1, of pictures, textures and noise."""

    def __init__(self, pictures: list[Tensor], seed: int) -> None:
        self._pictures = pictures
        self.rng = np.random.Generator(np.random.PCG64(seed))

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return len(self._pictures)

    def view(self, size: int) -> Tensor:
        """A crop of a picture: of all of it, scaled down, or of a part; at times recoloured."""
        rng = self.rng
        picture = self._pictures[rng.integers(len(self._pictures))]
        height, width = picture.shape[-2:]
        side = int(
            np.exp(rng.uniform(np.log(min(size, height, width)), np.log(min(height, width))))
        )
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        part = picture[..., top : top + side, left : left + side].float() / 255
        crop = resize(part, (size, size)).clamp(0, 1)
        if rng.random() < 0.5:
            crop = crop.flip(-1)
        return self.recolored(crop) if rng.random() < 0.35 else crop

    def recolored(self, crop: Tensor) -> Tensor:
        """``crop`` with its colours turned, stretched and shifted."""
        rng = self.rng
        turn = np.linalg.qr(rng.standard_normal((3, 3)))[0] if rng.random() < 0.4 else np.eye(3)
        matrix = turn * rng.uniform(0.5, 1.4) + rng.normal(0, 0.15, (3, 3))
        mean = crop.mean((2, 3), keepdim=True)
        mixed = torch.einsum(
            "ij,njhw->nihw", torch.tensor(matrix, dtype=torch.float32), crop - mean
        )
        shift = torch.tensor(rng.normal(0, 0.12, (1, 3, 1, 1)), dtype=torch.float32)
        return (mixed + mean + shift).clamp(0, 1)

    def texture(self, size: int) -> Tensor:
        """Brush strokes of random colours, lengths and directions, or coloured noise."""
        rng = self.rng
        if rng.random() < 0.3:
            flip = calibration_image(size).rot90(int(rng.integers(4)), (2, 3))
            return self.recolored(flip)
        palette = rng.uniform(0, 255, (int(rng.integers(3, 9)), 3))
        image = Image.new("RGB", (2 * size, 2 * size), tuple(int(v) for v in palette[0]))
        pen = ImageDraw.Draw(image)
        length, width = rng.uniform(4, 80), int(rng.uniform(2, 24))
        field = rng.uniform(0, np.pi, 3) * (1, 2 / size, 2 / size)
        for _ in range(int(rng.uniform(200, 900))):
            x, y = rng.uniform(0, 2 * size, 2)
            angle = field[0] + field[1] * x + field[2] * y + rng.normal(0, 0.2)
            dx, dy = length * np.cos(angle) / 2, length * np.sin(angle) / 2
            color = palette[rng.integers(len(palette))] + rng.normal(0, 18, 3)
            pen.line(
                (x - dx, y - dy, x + dx, y + dy), tuple(int(c) for c in color.clip(0, 255)), width
            )
        return _tensor(image.resize((size, size), Image.Resampling.LANCZOS)).float() / 255

    def any(self, size: int) -> Tensor:
        """A view or a texture."""
        return self.texture(size) if self.rng.random() < 0.12 else self.view(size)

    def noise(self, size: int) -> Tensor:
        """Noise of random strength, colourfulness and grain, to be added to a crop."""
        rng = self.rng
        grain = torch.tensor(rng.standard_normal((1, 3, size, size)), dtype=torch.float32)
        if rng.random() < 0.5:  # one of several colour directions only
            direction = torch.tensor(rng.standard_normal((1, 3, 1, 1)), dtype=torch.float32)
            grain = grain[:, :1] * direction / direction.norm() * 3**0.5
        for _ in range(int(rng.integers(0, 3))):
            grain = F.avg_pool2d(F.pad(grain, (1, 1, 1, 1), mode="replicate"), 3, 1)
        return grain / grain.std() * float(np.exp(rng.uniform(np.log(0.01), np.log(0.2))))
