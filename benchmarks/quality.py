"""The battery of measures for our pictures.

    python -m benchmarks.quality                          # fast, on the project's own pictures
    python -m benchmarks.quality --preset fast --preset best --sheet sheet.jpg
    python -m benchmarks.quality --sweep                  # the scores over the strength

style … noise   the judge's scores (`judge`), also layer by layer
nn … colour     nearest places (`nearest`), and judges that share nothing with VGG19 (`outsiders`)
edges           correlation of the luma's gradients with the photo's
L, a, b         distance of the colours from the style's (Wasserstein-1 in OKLab)
frame           mean and deviation of the outermost 16 pixels over the next 16, over the photo's own
half            SSIM of a run at half the size with this one scaled down
same            PSNR and SSIM of a run whose style is the photo itself, with the photo
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks import metrics, report, runs
from benchmarks.judge import HELD_OUT, STYLE, Judge, Report, Scores, load_judge
from benchmarks.pairs import Pair, add_options, load_pairs, machine, shrunk
from styleengine.engine import Engine
from styleengine.machine import devices
from styleengine.networks.vgg import VGG19
from styleengine.pictures.files import Picture
from styleengine.protocol import Settings

STRENGTHS = (0.0, 25.0, 50.0, 75.0, 100.0)
SCORES = tuple(f.name for f in dataclasses.fields(Scores))
CELL, TITLE, GAP = 240, 18, 6
"""Height of the contact sheet's pictures, of the line above them, and what is between them."""

Titled = tuple[str, Picture]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    return report.ending(measure, parser().parse_args(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="benchmarks.quality", description="Measures our pictures.")
    add_options(top)
    top.add_argument(
        "--preset",
        action="append",
        choices=("draft", "fast", "best", "classic"),
        help="may be repeated (default: fast)",
    )
    top.add_argument("--strength", type=float, default=50.0)
    top.add_argument("--iterations", type=int, default=0, help="(default: the preset's)")
    top.add_argument("--sweep", action="store_true", help="the scores at strengths 0 to 100")
    top.add_argument(
        "--sheet", type=report.new_file, metavar="FILE", help="save all pictures as one"
    )
    return top


def measure(options: argparse.Namespace) -> None:
    """Runs everything asked for and prints it."""
    net = load_judge()
    about = machine(options.features, devices.pick(options.device))
    print(about.line())
    painting = Painting(options)
    work = sweep if options.sweep else battery
    results, sheet = [], []
    for pair in load_pairs(options):
        records, pictures = work(options, painting, net, pair)
        results += records
        photo, style = (f"{pair.name}: photo", pair.content), ("style", pair.style)
        sheet.append([photo, style, *pictures])
    print(sweep_table(results) if options.sweep else battery_tables(results))
    if options.sheet:
        save_sheet(sheet, options.sheet)
    report.write_json(
        options.json,
        {
            "machine": dataclasses.asdict(about),
            "options": {k: v for k, v in vars(options).items() if k not in ("json", "sheet")},
            "results": results,
        },
    )


class Painting:
    """Runs of the engine with the options' settings."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._engine, self._options = Engine(), options
        self._identities: dict[tuple[str, str], tuple[float, float]] = {}

    def run(self, content: Picture, style: Picture, preset: str, strength: float) -> runs.Run:
        """A run at the content's own size."""
        options = self._options
        settings = Settings(
            preset=preset,
            strength=strength,
            size=max(content.width, content.height),
            iterations=options.iterations,
            features=options.features,
            device=options.device,
        )
        runs.warm_up(self._engine, content, style, settings)
        return runs.paint(self._engine, content, style, settings)

    def identity(self, content: Picture, preset: str, strength: float) -> tuple[float, float]:
        """PSNR and SSIM of ``content`` painted in its own style; once per name of a picture."""
        key = content.name, preset
        if key not in self._identities:
            same = self.run(content, content, preset, strength).picture.rgb
            found = metrics.psnr(same, content.rgb), metrics.ssim(same, content.rgb)
            self._identities[key] = found
        return self._identities[key]


def battery(
    options: argparse.Namespace, painting: Painting, net: VGG19, pair: Pair
) -> tuple[list[dict[str, Any]], list[Titled]]:
    """All measures of one pair, and its pictures, preset by preset."""
    judge = Judge(net, pair.content, pair.style, pair.size)
    records, pictures = [], []
    for preset in dict.fromkeys(options.preset or ("fast",)):
        report.say(f"{pair.name}: {preset}")
        run = painting.run(pair.content, pair.style, preset, options.strength)
        pictures.append((preset, run.picture))
        small = shrunk(pair.content, pair.size // 2)
        half = painting.run(small, pair.style, preset, options.strength).picture.rgb
        record = measures(judge.report(run.picture), pair, run.picture)
        record |= {"half_ssim": metrics.ssim(half, shrunk(run.picture, pair.size // 2).rgb)}
        same = painting.identity(pair.content, preset, options.strength)
        record |= {"identity_psnr": same[0], "identity_ssim": same[1]}
        about = {"pair": pair.name, "preset": preset, "strength": options.strength}
        records.append(about | {"seconds": run.seconds} | record)
    return records, pictures


def measures(judged: Report, pair: Pair, output: Picture) -> dict[str, Any]:
    """The measures of one picture by itself."""
    light, green_red, blue_yellow = metrics.color_distance(output.rgb, pair.style.rgb)
    frame = metrics.frame(output.rgb, pair.content.rgb)
    return {
        **dataclasses.asdict(judged.scores),
        "style_layers": judged.style,
        "held_out_layers": judged.held_out,
        "edges": metrics.gradient_correlation(output.rgb, pair.content.rgb),
        "color": {"L": light, "a": green_red, "b": blue_yellow},
        "frame": {"mean": frame[0], "std": frame[1]},
    }


def battery_tables(results: list[dict[str, Any]]) -> str:
    """Both tables, the second one layer by layer, with a preset's means at the end."""
    titles = (
        "pair", "preset", "seconds", *SCORES, "edges", "L", "a", "b",
        "frame mean", "std", "half SSIM", "same PSNR", "SSIM",
    )  # fmt: skip
    overall = {
        (r["pair"], r["preset"]): [
            r["seconds"], *(r[s] for s in SCORES), r["edges"], *r["color"].values(),
            *r["frame"].values(), r["half_ssim"], r["identity_psnr"], r["identity_ssim"],
        ]
        for r in results
    }  # fmt: skip
    layers = {
        (r["pair"], r["preset"]): [
            *(r["style_layers"][n] for n in STYLE),
            *(r["held_out_layers"][n] for n in HELD_OUT),
        ]
        for r in results
    }
    one = report.table(titles, _with_means(overall))
    two = report.table(("pair", "preset", *STYLE, *HELD_OUT), _with_means(layers))
    return f"\n{one}\n\nstyle and held-out by layer:\n{two}"


def _with_means(rows: dict[tuple[str, str], list[float | None]]) -> list[list[object]]:
    found: list[list[object]] = [[*key, *values] for key, values in rows.items()]
    for preset in dict.fromkeys(preset for _, preset in rows):
        values = [v for (_, p), v in rows.items() if p == preset]
        if len(values) > 1:
            found.append(["mean", preset, *map(_mean, zip(*values, strict=True))])
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def sweep(
    options: argparse.Namespace, painting: Painting, net: VGG19, pair: Pair
) -> tuple[list[dict[str, Any]], list[Titled]]:
    """The judge's scores and the measures of single pictures over the strength."""
    judge = Judge(net, pair.content, pair.style, pair.size)
    records, pictures = [], []
    for preset in dict.fromkeys(options.preset or ("fast",)):
        for strength in STRENGTHS:
            report.say(f"{pair.name}: {preset} at strength {strength:g}")
            run = painting.run(pair.content, pair.style, preset, strength)
            pictures.append((f"{preset} {strength:g}", run.picture))
            about = {"pair": pair.name, "preset": preset, "strength": strength}
            found = measures(judge.report(run.picture), pair, run.picture)
            records.append(about | {"seconds": run.seconds} | found)
    return records, pictures


def sweep_table(results: list[dict[str, Any]]) -> str:
    """The scores, a row per strength."""
    titles = ("pair", "preset", "strength", "seconds", *SCORES, "edges")
    rows = [
        [r["pair"], r["preset"], f"{r['strength']:g}", *(r[t] for t in titles[3:])] for r in results
    ]
    return "\n" + report.table(titles, rows)


def save_sheet(rows: list[list[Titled]], path: Path) -> None:
    """One picture of all: a row per pair, each picture with its title above it."""
    font = ImageFont.load_default()
    strips = []
    for row in rows:
        cells = [(title, _cell(picture)) for title, picture in row]
        strip = Image.new("RGB", (sum(c.width + GAP for _, c in cells), CELL + TITLE), "white")
        pen, x = ImageDraw.Draw(strip), 0
        for title, cell in cells:
            pen.text((x + 2, 2), title, fill="black", font=font)
            strip.paste(cell, (x, TITLE))
            x += cell.width + GAP
        strips.append(strip)
    sheet = Image.new(
        "RGB", (max(s.width for s in strips), sum(s.height + GAP for s in strips)), "white"
    )
    y = 0
    for strip in strips:
        sheet.paste(strip, (0, y))
        y += strip.height + GAP
    sheet.save(path, quality=92)


def _cell(picture: Picture) -> Image.Image:
    image = Image.fromarray(np.rint(picture.rgb * 255).clip(0, 255).astype(np.uint8))
    width = max(1, round(image.width * CELL / image.height))
    return image.resize((width, CELL), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    sys.exit(main())
