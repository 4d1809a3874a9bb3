"""Trains the draft network: a small network that reproduces VGG19's features through linear maps.

    python -m benchmarks.draft_training PICTURES --out draft.safetensors

PICTURES is a folder of pictures (see `draft_pictures`); the teacher is the pretrained VGG19 that
the engine finds. The same command with the same pictures and threads trains the same network.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import report
from benchmarks.draft_pictures import Crops, own_drawings, read_folder
from benchmarks.draft_samples import Pool, Sample, Teacher, statistics, trunk, window
from styleengine.networks.convolution import replicate
from styleengine.networks.draft import FORMAT, MAPPED, Draft
from styleengine.networks.few_bits import packed, unpacked
from styleengine.networks.vgg import calibration_image
from styleengine.weights.sources import OXFORD_LICENCE
from styleengine.weights.store import resolve

PAIRS = 2
"""Pairs of neighbours per step."""
CAPACITY, FIRST = 600, 200
"""Samples that are kept, and those there are before the first step."""
STILL_ONLY = 600
"""Steps before a new draft paints for itself."""
SMALL = 14
"""Convolutions of narrower maps go backward ten times faster in float32 than in bfloat16."""
REUSE = 3
"""Steps from one new sample to the next."""
REFRESH = 50
"""Steps after which the painting network is brought up to date."""
WEIGHTS = {
    "relu1_1": 1.0,
    "relu2_1": 1.0,
    "relu3_1": 1.0,
    "relu4_1": 1.0,
    "relu4_2": 1.5,
    "relu5_1": 1.0,
}
FEATURES, MOVES, STATISTICS = 1.0, 1.0, 1.0
"""Weights of the three terms of the loss; see `loss`."""


class Student(nn.Module):
    """The draft network with gradients for its weights; layers and maps are shared with `net`.

    With ``above``, the name of a layer, only what lies above it learns. What a picture gives there,
    `below`, is then the same all the time.
    """

    def __init__(self, net: Draft, above: str | None = None) -> None:
        super().__init__()
        self.net = net
        names = {name: i for i, name in net._at.items()}
        self._first = 0 if above is None else names[above] + 1
        self.layers = tuple(n for n in net.taps if names[n] >= self._first)
        self.requires_grad_(True)
        net.features[: self._first].requires_grad_(False)
        for name, q in net.maps.items():
            q.requires_grad_(name in self.layers)

    def learning(self) -> list[nn.Parameter]:
        """What learns."""
        return [p for p in self.parameters() if p.requires_grad]

    @torch.no_grad()
    def below(self, images: Tensor) -> Tensor:
        """What `forward` takes: ``images`` (N, 3, H, W), or the features that nothing changes."""
        if not self._first:
            return images
        with torch.autocast("cpu", torch.bfloat16):
            return self._through(images, 0, self._first)[1]

    def forward(self, seen: Tensor) -> dict[str, Tensor]:
        """The draft's features, in its own channels, at the layers that learn."""
        return self._through(seen, self._first, len(self.net.features))[0]

    def _through(self, x: Tensor, first: int, end: int) -> tuple[dict[str, Tensor], Tensor]:
        """The features at the layers from module ``first`` to before ``end``, and the last ones."""
        found, x = {}, x.contiguous(memory_format=torch.channels_last)
        for i, module in enumerate(self.net.features[first:end], start=first):
            if isinstance(module, nn.Conv2d):
                half = x.shape[-1] >= SMALL
                with torch.autocast("cpu", torch.bfloat16, half):
                    wide = replicate(x if half else x.float())
                    x = F.conv2d(wide, module.weight, module.bias)
            else:
                x = F.relu(x) if isinstance(module, nn.ReLU) else module(x)
            name = self.net._at.get(i, "")
            if name in self.net.taps:
                found[name] = x
        return found, x


def loss(student: Student, samples: list[Sample]) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch of neighbours, and its parts by name.

    All are squared errors relative to the teacher's own size, a mean over the layers: of the
    features, of their differences between neighbours (which is what a gradient sees), and of their
    means and covariances, which the style loss compares.
    """
    with torch.autocast("cpu", torch.bfloat16):
        found = student(torch.cat([s.seen for s in samples]))
    total = torch.zeros(())
    parts: dict[str, float] = {}
    for name in student.layers:
        weight = WEIGHTS[name]
        shown = [window(name, f, s.at) for f, s in zip(found[name].split(2), samples, strict=True)]
        facts = [s.facts[name] for s in samples]
        q = student.net.maps[name].bfloat16()
        f = F.conv2d(torch.cat(shown).bfloat16(), q[..., None, None])
        error = f - torch.cat([s.features[name] for s in samples])
        features = _squares(error) / (sum(x.variance for x in facts) / len(facts))
        typical = 0.02 * sum(x.moved for x in facts) / len(facts) + 1e-6
        moved = torch.tensor([x.moved + typical for x in facts]).rsqrt()
        moves = _squares((error[::2] - error[1::2]) * moved.bfloat16()[:, None, None, None])
        wanted = torch.cat([x.statistics for x in facts])
        apart = (statistics(f) - wanted).square().sum((1, 2)) / wanted.square().sum((1, 2))
        for kind, factor, value in (
            ("features", FEATURES, features),
            ("moves", MOVES, moves),
            ("statistics", STATISTICS, apart.mean()),
        ):
            total = total + weight * factor * value
            parts[f"{kind} {name}"] = float(value.detach())
    return total / sum(WEIGHTS[n] for n in student.layers), parts


def _squares(t: Tensor) -> Tensor:
    """The mean square of a tensor in half precision, added up in float32."""
    return torch.linalg.vector_norm(t, dtype=torch.float32).square() / t.numel()


def start(pool: Pool, seed: int) -> Student:
    """A student with unit variances and the maps that fit best."""
    torch.manual_seed(seed)
    net = fresh()
    with torch.no_grad():
        whiten(net)
        student = Student(net.to(memory_format=torch.channels_last))
        samples = pool.batch(16)
        for name, found in student(torch.cat([s.seen for s in samples])).items():
            parts = zip(found.split(2), samples, strict=True)
            f = torch.cat([window(name, f, s.at) for f, s in parts])
            d = f.permute(0, 2, 3, 1).flatten(0, 2).double()
            t = torch.cat([s.features[name] for s in samples]).double()
            t = t.permute(0, 2, 3, 1).flatten(0, 2)
            ridge = d.T @ d + 1e-2 * len(d) * torch.eye(d.shape[1], dtype=torch.float64)
            net.maps[name].copy_(torch.linalg.solve(ridge, d.T @ t).T.float())
    return student


def fresh() -> Draft:
    """A network of random weights, whose maps are zero."""
    net = Draft(replicated=True)
    for module in net.features:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    return net


def grown(path: Path, seed: int, above: str | None = None) -> Student:
    """The network of ``path``, whose blocks may have fewer convolutions and channels than ours.

    It sees what it saw before (Net2Net, Chen et al. 2016, arXiv 1511.05641): a convolution behind a
    block's last begins as the identity, which ReLU leaves alone, and a new channel, whose own
    weights are random, counts nothing yet in the convolution behind it. See `Student` for
    ``above``.
    """
    torch.manual_seed(seed)
    net, old = fresh(), unpacked(load_file(path))
    ours = by_place(i for i, m in enumerate(net.features) if isinstance(m, nn.Conv2d))
    theirs = by_place(int(k.split(".")[1]) for k in old if k.endswith("weight"))
    with torch.no_grad():
        for place, i in ours.items():
            conv = net.features[i]
            assert isinstance(conv, nn.Conv2d) and conv.bias is not None
            if place in theirs:
                weight = old[f"features.{theirs[place]}.weight"]
                conv.bias[: len(weight)] = old[f"features.{theirs[place]}.bias"]
            else:
                passed = min(conv.in_channels, conv.out_channels)
                weight = torch.zeros(passed, conv.in_channels, 3, 3)
                weight[:, :, 1, 1] = torch.eye(passed, conv.in_channels)
            conv.weight[: len(weight)] = 0
            conv.weight[: len(weight), : weight.shape[1]] = weight
        for name, q in net.maps.items():
            known = old[f"maps.{name}"]
            q[:, : known.shape[1]] = known
    return Student(net.to(memory_format=torch.channels_last), above)


def by_place(indices: Iterable[int]) -> dict[tuple[int, int], int]:
    """The modules of convolutions by block and number: a pooling stands between two blocks."""
    found: dict[tuple[int, int], int] = {}
    block, number, last = 1, 0, -2
    for i in sorted(indices):
        block, number = (block, number + 1) if i == last + 2 else (block + 1, 1)
        found[block, number] = last = i
    return found


def whiten(net: Draft) -> None:
    """Gives every convolution's channels mean 0 and deviation 1 on `calibration_image`.

    With it, all layers learn at the same pace from the start (layer-sequential unit variance,
    Mishkin & Matas 2016, with the mean removed as well).
    """
    x = calibration_image()
    for module in net.features:
        if not isinstance(module, nn.Conv2d):
            x = module(x)
        elif module.bias is not None:
            x = F.conv2d(replicate(x), module.weight, module.bias)
            deviation, mean = torch.std_mean(x, dim=(0, 2, 3), correction=0)
            module.weight /= deviation[:, None, None, None]
            module.bias -= mean
            module.bias /= deviation
            x = (x - mean[:, None, None]) / deviation[:, None, None]


class Optimizer:
    """Muon (Jordan et al. 2024) for the convolutions' weights as matrices, Adam for the rest.

    Muon moves all directions of a matrix alike, where Adam moves each number: in 700 steps from a
    trained network, features and statistics came 2 to 5 % nearer to the teacher's with it.
    """

    def __init__(self, student: Student, rate: float, muon_rate: float, steps: int) -> None:
        weights = [
            m.weight
            for m in student.net.features
            if isinstance(m, nn.Conv2d) and m.in_channels > 3 and m.weight.requires_grad
        ]
        whole = {id(w) for w in weights}
        rest = [p for p in student.learning() if id(p) not in whole]
        # Matrices that share their memory with the weights, which lie with the channels last.
        self._pairs = [(w, nn.Parameter(_matrix(w.detach()))) for w in weights]
        assert all(w.data_ptr() == m.data_ptr() for w, m in self._pairs)
        muon = torch.optim.Muon(
            [m for _, m in self._pairs], muon_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        )
        adam = torch.optim.Adam(rest, rate, betas=(0.9, 0.98), fused=True)
        self._student, self._parts = student, (muon, adam)
        self._schedules = [
            torch.optim.lr_scheduler.OneCycleLR(
                part, part.param_groups[0]["lr"], steps, pct_start=0.05, cycle_momentum=False
            )
            for part in self._parts
        ]

    def step(self, value: Tensor) -> None:
        """One step down the gradient of ``value``."""
        self._student.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._student.learning(), 1.0)
        for weight, matrix in self._pairs:
            assert weight.grad is not None
            matrix.grad = _matrix(weight.grad)
        for part, schedule in zip(self._parts, self._schedules, strict=True):
            part.step()
            schedule.step()


def _matrix(weight: Tensor) -> Tensor:
    """Weights (O, I, 3, 3) as (O, 9 I)."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    top = parser()
    options = top.parse_args(arguments)
    if options.above and not options.start:
        top.error("--above is for a network that learnt before: name it with --start")
    return report.ending(train, options)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="benchmarks.draft_training")
    top.add_argument("pictures", type=Path, help="a folder of pictures")
    top.add_argument("--out", type=Path, required=True, metavar="FILE")
    top.add_argument("--steps", type=int, default=20_000)
    top.add_argument("--rate", type=float, default=2e-3, help="the largest rate of Adam")
    top.add_argument("--muon-rate", type=float, default=1.5e-3, help="that of Muon")
    top.add_argument("--start", type=Path, metavar="FILE", help="go on from this network")
    top.add_argument(
        "--above", choices=list(MAPPED)[:-1], help="leave this layer and all below as they are"
    )
    top.add_argument("--seed", type=int, default=0)
    top.add_argument("--log", type=int, default=50, help="steps between two lines of the log")
    top.add_argument("--keep", type=int, default=500, help="steps between two checkpoints")
    return top


def train(options: argparse.Namespace) -> None:
    """Trains and saves the network."""
    crops = Crops([*read_folder(options.pictures), *own_drawings()], options.seed)
    report.say(f"{crops.count} pictures")
    if options.start:
        student = grown(options.start, options.seed, options.above)
        pool = Pool(crops, Teacher(resolve(), student.layers), CAPACITY, student.below)
        pool.fill(FIRST)
    else:
        pool = Pool(crops, Teacher(resolve()), CAPACITY)
        pool.fill(FIRST)
        student = start(pool, options.seed)
    optimizer = Optimizer(student, options.rate, options.muon_rate, options.steps)
    still_only = 0 if options.start else STILL_ONLY
    painter, seen, started = None, {}, time.monotonic()
    for step in range(1, options.steps + 1):
        if step > still_only and (painter is None or step % REFRESH == 0):
            painter = trunk(copy_of(student))
        if step % REUSE == 0:
            if painter is not None and crops.rng.random() < 0.6:
                pool.add_painted(painter)
            else:
                pool.add_still()
        value, parts = loss(student, pool.batch(PAIRS))
        optimizer.step(value)
        for name, part in parts.items():
            seen[name] = part if name not in seen else 0.98 * seen[name] + 0.02 * part
        if step % options.log == 0:
            spent = time.monotonic() - started
            kinds = ("features", "moves", "statistics")
            line = {k: [round(seen[f"{k} {n}"], 3) for n in student.layers] for k in kinds}
            report.say(f"step {step}, {spent:.0f} s: {json.dumps(line)}")
        if step % options.keep == 0 or step == options.steps:
            save(copy_of(student), options.out, {"seed": str(options.seed), "steps": str(step)})


def copy_of(student: Student) -> Draft:
    """A frozen copy of the network as it is now."""
    net = Draft(replicated=True)
    net.load_state_dict(student.net.state_dict())
    return net


def save(net: Draft, path: Path, about: dict[str, str]) -> None:
    """Writes the network, its weights in eight bits."""
    tensors = packed(net.state_dict())
    about |= {"format": FORMAT, "teacher": "VGG19, Simonyan & Zisserman 2014"}
    save_file(tensors, path, about | {"licence": OXFORD_LICENCE})


if __name__ == "__main__":
    sys.exit(main())
