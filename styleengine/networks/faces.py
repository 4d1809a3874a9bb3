"""Finding faces, their eyes and their mouths: three small networks, one after the other.

MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", arXiv 1604.02878): P looks at windows of 12 pixels of the picture at many sizes and
proposes squares, R looks at those at 24 pixels and throws most away, O decides at 48 pixels and
tells where eyes, nose and corners of the mouth are. The weights come with the package ``mtcnn``
(MIT licence), of which nothing else is used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from styleengine.protocol import EngineError

LONG_SIDE = 1024
"""Pixels of the long side at which faces are looked for, at most."""
SMALLEST, SHRINK = 20, 0.709
"""Pixels of the smallest face that is looked for, and the ratio of one size to the next: the
authors' own."""
SURE = (0.6, 0.7, 0.9)
"""How sure P, R and O have to be, 0–1. Unlike the authors' 0.6, 0.7 and 0.7, because a face that is
not there does more harm here than one that is missed: patterns get up to 0.85, faces 0.97."""
ALIKE = (0.5, 0.7, 0.7)
"""Share of two boxes in common from which on the less sure one is dropped: of P's at one size, of
all, and of the smaller one's area in the end."""
MOST = 400
"""Most squares that are looked at more closely, the likeliest ones."""
REMEMBERED = 4
"""Pictures whose faces are remembered."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Face:
    """A face: all of it in shares of the picture's width and height, (0, 0) at the top left.

    ``box`` is (left, top, right, bottom) and may reach beyond the picture; ``eyes`` are the one
    further left in the picture and the other, ``mouth`` its corners in the same order; ``sure`` is
    0–1.
    """

    box: tuple[float, float, float, float]
    eyes: tuple[Point, Point]
    nose: Point
    mouth: tuple[Point, Point]
    sure: float


class FaceFinder:
    """Finds faces on the processor; remembers those of the last pictures."""

    def __init__(self) -> None:
        """Nothing is loaded before it is needed."""
        self._nets: tuple[nn.Module, nn.Module, nn.Module] | None = None
        self._found: dict[str, tuple[Face, ...]] = {}

    def prepare(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        """Loads the networks, if they are not; raises as `load` does."""
        self._nets = self._nets or load()
        return self._nets

    def find(self, image: Tensor) -> tuple[Face, ...]:
        """The faces in ``image`` (1, 3, h, w), sRGB-encoded, 0–1, the surest first.

        Raises `EngineError` ("broken-install") if the networks' weights are not there.
        """
        image = image.detach().cpu().float()
        digest = hashlib.blake2b(image.numpy().tobytes(), digest_size=16)
        key = f"{digest.hexdigest()} {tuple(image.shape)}"
        if key not in self._found:
            self._found[key] = detect(self.prepare(), image)
            for old in list(self._found)[:-REMEMBERED]:
                del self._found[old]
        return self._found[key]


def load() -> tuple[nn.Module, nn.Module, nn.Module]:
    """P, R and O with their weights; raises `EngineError` ("broken-install")."""
    nets = proposing(), refining(), deciding()
    for net, name in zip(nets, ("pnet", "rnet", "onet"), strict=True):
        own = list(net.parameters())
        for parameter, array in zip(own, _stored(name, len(own)), strict=True):
            given = torch.from_numpy(array)
            if given.ndim == 4:  # height, width, in, out
                given = given.permute(3, 2, 0, 1)
            elif given.ndim == 2:  # in, out
                given = given.T
            with torch.no_grad():
                parameter.copy_(given.reshape(parameter.shape))
        net.requires_grad_(False).eval()
    return nets


def _stored(name: str, count: int) -> list[Any]:
    """The arrays in one of the package's files, in the order of the network's parameters."""
    # Found, not imported: importing it would ask for another framework.
    spec = importlib.util.find_spec("mtcnn")
    folders = spec.submodule_search_locations if spec else None
    try:
        import joblib

        arrays = joblib.load(Path(next(iter(folders or []))) / "assets/weights" / f"{name}.lz4")
        if len(arrays) != count:
            raise ValueError(f"{len(arrays)} arrays")
    except (ImportError, OSError, StopIteration, ValueError) as error:
        raise EngineError(
            "broken-install",
            "The network that finds faces is missing or damaged ({name}).",
            "Run the installer again, or set Faces to “Paint like everything else”.",
            name=name,
        ) from error
    return list(arrays)


class _Heads(nn.Module):
    """Several last layers on one trunk; the last one's second output is how sure it is."""

    def __init__(self, trunk: nn.Sequential, *heads: nn.Module) -> None:
        super().__init__()
        self.trunk, self.heads = trunk, nn.ModuleList(heads)

    def forward(self, x: Tensor) -> list[Tensor]:
        """What the heads say, the last as probabilities (N, …)."""
        x = self.trunk(x)
        *others, last = [head(x) for head in self.heads]
        return [*others, last.softmax(1)[:, 1]]


class _Columns(nn.Module):
    """Flattens (N, C, h, w) column by column, as the fully connected layers were trained."""

    def forward(self, x: Tensor) -> Tensor:
        """The same as (N, w · h · C)."""
        return x.permute(0, 3, 2, 1).flatten(1)


def _block(channels: int, more: int, kernel: int = 3) -> list[nn.Module]:
    return [nn.Conv2d(channels, more, kernel), nn.PReLU(more)]


def _pool(kernel: int, *, whole: bool = True) -> nn.Module:
    """Pooling by two; ``whole`` takes in the last row and column, too."""
    return nn.MaxPool2d(kernel, 2, ceil_mode=whole)


def proposing() -> nn.Module:
    """P: (N, 3, h, w) to corrections of the boxes (N, 4, h', w') and probabilities (N, h', w')."""
    trunk = [*_block(3, 10), _pool(2), *_block(10, 16), *_block(16, 32)]
    return _Heads(nn.Sequential(*trunk), nn.Conv2d(32, 4, 1), nn.Conv2d(32, 2, 1))


def refining() -> nn.Module:
    """R: (N, 3, 24, 24) to corrections (N, 4) and probabilities (N)."""
    trunk = [*_block(3, 28), _pool(3), *_block(28, 48), _pool(3, whole=False), *_block(48, 64, 2)]
    trunk += [_Columns(), nn.Linear(576, 128), nn.PReLU(128)]
    return _Heads(nn.Sequential(*trunk), nn.Linear(128, 4), nn.Linear(128, 2))


def deciding() -> nn.Module:
    """O: (N, 3, 48, 48) to corrections (N, 4), five points (N, 10) and probabilities (N)."""
    trunk = [*_block(3, 32), _pool(3), *_block(32, 64), _pool(3, whole=False), *_block(64, 64)]
    trunk += [_pool(2), *_block(64, 128, 2), _Columns(), nn.Linear(1152, 256), nn.PReLU(256)]
    heads = nn.Linear(256, 4), nn.Linear(256, 10), nn.Linear(256, 2)
    return _Heads(nn.Sequential(*trunk), *heads)


@torch.inference_mode()
def detect(nets: tuple[nn.Module, nn.Module, nn.Module], image: Tensor) -> tuple[Face, ...]:
    """The faces in ``image`` (1, 3, h, w), sRGB-encoded, 0–1, by the networks of `load`."""
    propose, refine, decide = nets
    height, width = image.shape[-2:]
    image = (image * 255 - 127.5) / 128
    boxes = _proposals(propose, image)
    if not len(boxes):
        return ()
    moves, sure = refine(_patches(image, boxes, 24))
    boxes, sure = _corrected(boxes, moves)[sure > SURE[1]], sure[sure > SURE[1]]
    boxes = _square(boxes[_distinct(boxes, sure, ALIKE[1])])
    if not len(boxes):
        return ()
    moves, points, sure = decide(_patches(image, boxes, 48))
    size = boxes[:, 2:] - boxes[:, :2] + 1
    points = points.view(-1, 2, 5) * size[..., None] + boxes[:, :2, None] - 1
    boxes = _corrected(boxes, moves)
    kept = sure > SURE[2]
    boxes, points, sure = boxes[kept], points[kept], sure[kept]
    unit = torch.tensor([width, height])
    found = []
    for i in _distinct(boxes, sure, ALIKE[2], of_smaller=True).tolist():
        left, top, right, bottom = (boxes[i] / unit.repeat(2)).tolist()
        # Pixel i reaches from i to i + 1.
        one, two, nose, three, four = ((points[i].T + 0.5) / unit).tolist()
        eyes = _pair(one, two)
        mouth = _pair(three, four)
        found.append(
            Face((left, top, right, bottom), eyes, (nose[0], nose[1]), mouth, float(sure[i]))
        )
    return tuple(found)


def _pair(one: list[float], two: list[float]) -> tuple[Point, Point]:
    return (one[0], one[1]), (two[0], two[1])


def _proposals(propose: nn.Module, image: Tensor) -> Tensor:
    """P's squares (N, 4) over all sizes of the picture."""
    height, width = image.shape[-2:]
    scale, found, sures = 12 / SMALLEST, [], []
    while min(height, width) * scale >= 12:
        size = math.ceil(height * scale), math.ceil(width * scale)
        small = F.interpolate(image, size, mode="bilinear", antialias=True)
        moves, sure = propose(small)
        rows, columns = torch.nonzero(sure[0] > SURE[0], as_tuple=True)
        start = 2.0 * torch.stack([columns, rows], 1)
        cells = torch.cat([start + 1, start + 12], 1) + 11 * moves[0, :, rows, columns].T
        boxes = cells / torch.tensor([size[1] / width, size[0] / height]).repeat(2)
        here = sure[0, rows, columns]
        kept = _distinct(boxes, here, ALIKE[0])
        found.append(boxes[kept])
        sures.append(here[kept])
        scale *= SHRINK
    if not found:
        return image.new_zeros(0, 4)
    boxes, sure = torch.cat(found), torch.cat(sures)
    return _square(boxes[_distinct(boxes, sure, ALIKE[1])[:MOST]])


def _distinct(boxes: Tensor, sure: Tensor, alike: float, *, of_smaller: bool = False) -> Tensor:
    """Indices of the boxes (N, 4), the surest first, without those that a surer one covers."""
    order = sure.argsort(descending=True, stable=True)[: 4 * MOST]
    boxes = boxes[order]
    areas = (boxes[:, 2:] - boxes[:, :2]).clamp_min(0).prod(1)
    first = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    last = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = (last - first).clamp_min(0).prod(2)
    smaller = torch.minimum(areas[:, None], areas[None])
    whole = smaller if of_smaller else areas[:, None] + areas[None] - common
    covers = common > alike * whole
    kept: list[int] = []
    gone = torch.zeros(len(boxes), dtype=torch.bool)
    for i in range(len(boxes)):
        if not gone[i]:
            kept.append(i)
            gone |= covers[i]
    return order[kept]


def _square(boxes: Tensor) -> Tensor:
    """The boxes (N, 4) made squares around their middles."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([middle - half, middle + half], 1)


def _corrected(boxes: Tensor, moves: Tensor) -> Tensor:
    """The boxes (N, 4) moved by shares (N, 4) of their sizes."""
    return boxes + moves * (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)


def _patches(image: Tensor, boxes: Tensor, side: int) -> Tensor:
    """What is in the squares (N, 4), (N, 3, side, side); beyond the picture it is black.

    Each is taken from the picture made smaller by the power of two that suits it: taken from a
    large one as it is, a face would be a few of its pixels.
    """
    sides = (boxes[:, 2] - boxes[:, 0]).clamp_min(1)
    levels = (sides / side).log2().floor().clamp(0, 8).long()
    out = image.new_zeros(len(boxes), 3, side, side)
    steps = torch.linspace(0, 1, side)
    for level in range(int(levels.max()) + 1):
        if level:
            image = F.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)
        (own,) = torch.nonzero(levels == level, as_tuple=True)
        if not len(own):
            continue
        height, width = image.shape[-2:]
        left, top, right, bottom = (boxes[own] / 2**level).T[..., None]
        x = (left + (right - left) * steps) / (width / 2) - 1
        y = (top + (bottom - top) * steps) / (height / 2) - 1
        grid = torch.stack(
            [x[:, None, :].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], -1
        )
        # All squares one below the other, as one picture is looked at.
        seen = F.grid_sample(image, grid.reshape(1, -1, side, 2), align_corners=False)
        out[own] = seen.view(3, len(own), side, side).transpose(0, 1)
    return out
