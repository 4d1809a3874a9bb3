"""Where a layer's picture went while it was painted: GIMP tells nobody, so it is looked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from gi.repository import Gegl, Gimp

from pixels import tilewise
from pixels.rect import Rect

RUN = 8  # pixels in a row that are compared at once
RUNS, GRID = 8, 12  # how many of them, and how many mean colours, in each direction
COMPARED = 24
SAME = 3  # of 255: what another precision of the image may change
FORM, PIXEL = "R'G'B'A u8", 4


@dataclass(frozen=True)
class Placement:
    """What became of the rectangle ``width`` × ``height``, done in this order: mirrored from left
    to right, turned clockwise by a quarter ``turns`` times, scaled (to ``size``), and moved.
    """

    width: int
    height: int
    mirrored: bool = False
    turns: int = 0
    size: tuple[int, int] | None = None
    dx: int = 0
    dy: int = 0

    @property
    def is_turned(self) -> bool:
        """Whether its pixels are others than before."""
        return self.mirrored or self.turns > 0 or self.size is not None

    @property
    def turned(self) -> tuple[int, int]:
        """Its size after turning, before scaling."""
        return (self.height, self.width) if self.turns % 2 else (self.width, self.height)

    def rect(self, rect: Rect) -> Rect:
        """Where a part of it is now. A part that is scaled covers whole pixels."""
        x, y, width, height = rect.x, rect.y, rect.width, rect.height
        if self.mirrored:
            x = self.width - x - width
        across, down = self.width, self.height
        for _turn in range(self.turns):
            x, y, width, height = down - y - height, x, height, width
            across, down = down, across
        if self.size is not None:
            sx, sy = self.size[0] / across, self.size[1] / down
            right, bottom = round((x + width) * sx), round((y + height) * sy)
            x, y = round(x * sx), round(y * sy)
            width, height = max(1, right - x), max(1, bottom - y)
        return Rect(x + self.dx, y + self.dy, width, height)


def found(
    then: Gimp.Drawable, now: Gimp.Drawable, moved: tuple[int, int]
) -> Generator[None, None, Placement | None]:
    """Where the pixels of ``then`` lie in ``now``; None if that cannot be told. In small steps.

    Both are private copies. ``moved`` is by how much the layer's corner lies elsewhere in the image
    now. Of a layer that has kept its size and was painted over everywhere nothing can be told but
    that: it counts as lying where it was.
    """
    start = Placement(then.get_width(), then.get_height())
    size = now.get_width(), now.get_height()
    before, after = then.get_buffer(), now.get_buffer()
    runs = yield from _runs(before, start.width, start.height)
    turned = [replace(start, mirrored=m, turns=t) for m in (False, True) for t in range(4)]
    for each in turned:
        if each.turned == size and (yield from _is_there(runs, after, size, each)):
            return each
    if size == (start.width, start.height):
        return start
    runs = yield from _runs(after, *size)
    stayed = (-moved[0], -moved[1])  # in the image, as when the layer's boundary has moved
    for dx, dy in (stayed, *(yield from _moves(runs[:4], before, start.width, start.height))):
        back = Placement(*size, dx=-dx, dy=-dy)
        if (yield from _is_there(runs, before, (start.width, start.height), back)):
            return replace(start, dx=dx, dy=dy)
    return (yield from _scaled(turned, before, after, size))


Run = tuple[Rect, bytes]


def _runs(buffer: Gegl.Buffer, width: int, height: int) -> Generator[None, None, list[Run]]:
    """Short rows of pixels, spread over a picture, those of many colours first. Those of one colour
    tell nothing, and are left out where others are.
    """
    runs = {}
    length = min(RUN, width)
    for row in range(RUNS):
        y = int((row + 0.5) * height / RUNS)
        for column in range(RUNS):
            rect = Rect(int((column + 0.5) * (width - length) / RUNS), y, length, 1)
            runs[rect] = _get(buffer, rect)
        yield
    colors = {rect: len(set(_pixels(data))) for rect, data in runs.items()}
    order = sorted(runs, key=lambda rect: -colors[rect])
    telling = [rect for rect in order if colors[rect] > 1]
    return [(rect, runs[rect]) for rect in telling or order]


def _get(buffer: Gegl.Buffer, rect: Rect) -> bytes:
    data: bytes = buffer.get(rect.gegl(), 1.0, FORM, Gegl.AbyssPolicy.NONE)
    return data


def _pixels(data: bytes) -> list[bytes]:
    return [data[i : i + PIXEL] for i in range(0, len(data), PIXEL)]


def _is_there(
    runs: list[Run], buffer: Gegl.Buffer, size: tuple[int, int], place: Placement
) -> Generator[None, None, bool]:
    """Whether most of the runs are where ``place`` has them, as far as that is inside."""
    same = compared = 0
    for rect, data in runs:
        at = place.rect(rect)
        if at.x < 0 or at.y < 0 or at.x + at.width > size[0] or at.y + at.height > size[1]:
            continue
        first, last = place.rect(Rect(rect.x, rect.y, 1, 1)), Rect(at.x, at.y, 1, 1)
        pixels = _pixels(_get(buffer, at))
        if first != last:
            pixels.reverse()
        difference = max(abs(a - b) for a, b in zip(b"".join(pixels), data))
        same, compared = same + (difference <= SAME), compared + 1
        yield
        if compared == COMPARED or compared - same > COMPARED // 2:
            break
    return compared > 0 and same > compared // 2


def _moves(
    runs: list[Run], before: Gegl.Buffer, width: int, height: int
) -> Generator[None, None, list[tuple[int, int]]]:
    """How far the picture ``before`` may have been moved to where the runs are: likeliest first."""
    votes: Counter[tuple[int, int]] = Counter()
    area, policy = (0, 0, width, height), Gegl.AbyssPolicy.NONE
    for y, rows, data in tilewise.read(before, area, 1.0, FORM, PIXEL, policy):
        for rect, run in runs if rows else ():
            for x, row in _places(run, data, width):
                votes[rect.x - x, rect.y - y - row] += 1
        yield
    return [move for move, _votes in votes.most_common(3)]


def _places(run: bytes, data: bytes, width: int) -> Iterator[tuple[int, int]]:
    """Where a run lies in rows of ``width`` pixels; not oftener than anybody wants to know."""
    at = data.find(run)
    for _place in range(99):
        if at < 0:
            return
        row, x = divmod(at // PIXEL, width)
        if at % PIXEL == 0 and x + len(run) // PIXEL <= width:
            yield x, row
        at = data.find(run, at + 1)


def _scaled(
    turned: list[Placement], before: Gegl.Buffer, after: Gegl.Buffer, size: tuple[int, int]
) -> Generator[None, None, Placement | None]:
    """The one of ``turned`` that, scaled to ``size``, looks like the picture now."""
    old = yield from _means(before, turned[0].width, turned[0].height)
    new = yield from _means(after, *size)
    cells = [(column, row) for row in range(GRID) for column in range(GRID)]

    def difference(place: Placement) -> float:
        grid = replace(place, width=GRID, height=GRID)
        total = 0.0
        for cell in cells:
            there = grid.rect(Rect(*cell, 1, 1))
            total += sum(abs(a - b) for a, b in zip(old[cell], new[there.x, there.y]))
        return total

    other = cells[len(cells) // 2 + GRID // 3 :] + cells
    by_chance = sum(
        abs(a - b) for one, two in zip(cells, other) for a, b in zip(old[one], old[two])
    )
    best = min(turned, key=difference)  # the first, which is not turned, of equal ones
    if difference(best) > by_chance / 8:
        return None
    return replace(best, size=size)


def _means(
    buffer: Gegl.Buffer, width: int, height: int
) -> Generator[None, None, dict[tuple[int, int], list[float]]]:
    """The mean colours of the cells of a grid, from a patch in the middle of each."""
    across, down = max(1, width // (4 * GRID)), max(1, height // (4 * GRID))
    means = {}
    for row in range(GRID):
        for column in range(GRID):
            x = int((column + 0.5) * width / GRID - across / 2)
            y = int((row + 0.5) * height / GRID - down / 2)
            data = _get(buffer, Rect(x, y, across, down))
            count = len(data) // PIXEL
            means[column, row] = [sum(data[i::PIXEL]) / count for i in range(PIXEL)]
        yield
    return means
