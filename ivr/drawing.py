"""The graph of a flow as an SVG picture: boxes in layers from the start down, arrows between them.

Layers: a box lies below all that lead to it, but for ways back, which go round on the right. Order in a layer: by the
middle of what a box is connected with, in a few sweeps (Sugiyama, Tagawa and Toda 1981). An arrow over several layers
takes a place of its own in each, so that it passes between boxes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from xml.sax.saxutils import escape

from ivr.graph import Arrow, Box

#: More boxes are no picture that anybody reads, and arrows over hundreds of layers take their time.
MOST_BOXES = 500

_CHARACTER, _LINE, _HEAD, _PAD = 7.3, 17.0, 24.0, 10.0
_GAP_X, _GAP_Y, _LANE, _MARGIN = 36.0, 84.0, 16.0, 24.0
_MOST_CHARACTERS, _MOST_LABEL = 52, 34
_SWEEPS = 6

_STYLE = (
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1f2933}.t{font-weight:700}"
    ".b{fill:#fff;stroke:#52606d}.h{fill:#e3f2ec}.o{fill:#f5f0e6;stroke:#8a6d3b}.l{font-size:11px;fill:#0b6e4f}"
    ".a{fill:none;stroke:#52606d;stroke-width:1.3}.r{stroke:#9a5b13;stroke-dasharray:5 3}"
)


@dataclass(slots=True, eq=False)
class _Place:
    """A box in the picture, or where an arrow passes a layer (without a box). `bottom`: that of its layer."""

    layer: int
    width: float
    height: float
    box: Box | None = None
    x: float = 0.0
    y: float = 0.0
    bottom: float = 0.0
    near: list[_Place] = field(default_factory=list, repr=False)

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """An arrow with all that it passes, from its box to its target's."""

    arrow: Arrow
    passes: tuple[_Place, ...]
    is_back: bool


def draw(boxes: Sequence[Box]) -> str:
    """The picture of a graph whose first box is the start, as the text of an SVG file."""
    layers_of = _layers(boxes)
    places = {box.id: _Place(layers_of[box.id], *_size(box), box) for box in boxes}
    drawn = list(_arrows(boxes, places))
    rows = _rows(places, drawn)
    _put(rows)
    backs = [each for each in drawn if each.is_back]
    right = max(place.x + place.width for row in rows for place in row)
    width = right + _LANE * (len(backs) + 1) + _MARGIN
    height = max(place.y + place.height for row in rows for place in row) + _GAP_Y / 2
    ports = _ports(drawn)
    ways = [_way(each, x) for each, x in zip(drawn, ports, strict=True) if not each.is_back]
    ways += [_way_back(each, ports[drawn.index(each)], right, lane) for lane, each in enumerate(backs, 1)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">',
            f"<style>{_STYLE}</style>",
            '<defs><marker id="m" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            '<path d="M0 0L8 4L0 8z" fill="#52606d"/></marker></defs>',
            '<rect width="100%" height="100%" fill="#fff"/>',
            *ways,
            *(line for place in places.values() for line in _box(place)),
            *(_label(each, x) for each, x in zip(drawn, ports, strict=True) if each.arrow.labels),
            "</svg>",
            "",
        ]
    )


def _layers(boxes: Sequence[Box]) -> Mapping[str, int]:
    """The layer of each box: below all that lead to it, ways back left out."""
    by_id = {box.id: box for box in boxes}
    backs, order = _walked(boxes, by_id)
    layers = {box.id: 0 for box in boxes}
    for name in order:
        for arrow in by_id[name].arrows:
            if (name, arrow.target) not in backs:
                layers[arrow.target] = max(layers[arrow.target], layers[name] + 1)
    return layers


def _walked(boxes: Sequence[Box], by_id: Mapping[str, Box]) -> tuple[set[tuple[str, str]], list[str]]:
    """Ways back of a depth-first walk from the start, and the boxes so that all other ways lead onward."""
    backs: set[tuple[str, str]] = set()
    done: list[str] = []
    open_: dict[str, Iterator[Arrow]] = {}
    seen: set[str] = set()
    for first in boxes:
        trail = [] if first.id in seen else [first.id]
        while trail:
            name = trail[-1]
            seen.add(name)
            for arrow in open_.setdefault(name, iter(by_id[name].arrows)):
                if arrow.target in trail:
                    backs.add((name, arrow.target))
                elif arrow.target not in seen:
                    trail.append(arrow.target)
                    break
            else:
                done.append(trail.pop())
    return backs, done[::-1]


def _arrows(boxes: Sequence[Box], places: Mapping[str, _Place]) -> Iterator[_Drawn]:
    for box in boxes:
        source = places[box.id]
        for arrow in box.arrows:
            target = places[arrow.target]
            is_back = target.layer <= source.layer
            between = () if is_back else tuple(_Place(at, 4.0, 0.0) for at in range(source.layer + 1, target.layer))
            passes = (source, *between, target)
            if not is_back:
                for upper, lower in pairwise(passes):
                    upper.near.append(lower)
                    lower.near.append(upper)
            yield _Drawn(arrow, passes, is_back)


def _rows(places: Mapping[str, _Place], drawn: Sequence[_Drawn]) -> list[list[_Place]]:
    """The places of each layer, from left to right."""
    rows: list[list[_Place]] = [[] for _ in range(max(place.layer for place in places.values()) + 1)]
    for place in places.values():
        rows[place.layer].append(place)
    for each in drawn:
        for place in each.passes[1:-1]:
            rows[place.layer].append(place)
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            _spread(row)
            towards = row[0].layer + (-1 if sweep % 2 == 0 else 1)
            row.sort(key=lambda place: _wanted(place, towards))
            _spread(row)
    return rows


def _spread(row: Sequence[_Place]) -> None:
    x = 0.0
    for place in row:
        place.x, x = x, x + place.width + _GAP_X


def _wanted(place: _Place, layer: int | None = None) -> float:
    """The middle of what a place is connected with in a layer, or in all."""
    middles = [other.middle for other in place.near if layer is None or other.layer == layer]
    return sum(middles) / len(middles) if middles else place.middle


def _put(rows: Sequence[Sequence[_Place]]) -> None:
    """Give every place its coordinates: rows below each other, each place near what it is connected with."""
    for row in rows:
        _spread(row)
    widest = max(row[-1].x + row[-1].width for row in rows)
    for row in rows:
        _shift(row, (widest - row[-1].x - row[-1].width) / 2)
    for _ in range(_SWEEPS):
        for row in (*rows, *reversed(rows)):
            _draw_near(row)
    left = min(place.x for row in rows for place in row)
    y = _MARGIN
    for row in rows:
        _shift(row, _MARGIN - left)
        bottom = y + max(place.height for place in row)
        for place in row:
            place.y, place.bottom = y, bottom
        y = bottom + _GAP_Y


def _draw_near(row: Sequence[_Place]) -> None:
    """Move each place where it wants to be; those that would overlap share the way."""
    wanted = [_wanted(place) - place.width / 2 for place in row]
    for place, x in zip(row, wanted, strict=True):
        place.x = x
    for left, right in pairwise(row):
        right.x = max(right.x, left.x + left.width + _GAP_X)
    _shift(row, sum(x - place.x for place, x in zip(row, wanted, strict=True)) / len(row))


def _shift(row: Sequence[_Place], by: float) -> None:
    for place in row:
        place.x += by


def _shown(box: Box) -> list[str]:
    return [_cut("  " * line.depth + line.text, _MOST_CHARACTERS) for line in box.lines if not line.leads]


def _labelled(arrow: Arrow) -> str:
    return _cut(", ".join(arrow.labels), _MOST_LABEL)


def _size(box: Box) -> tuple[float, float]:
    """Wide enough for its lines, and for the labels of its arrows side by side."""
    lines = _shown(box)
    ports = sum(map(_port_width, box.arrows))
    wide = max([_length(box.title), *map(_length, lines)]) * _CHARACTER + 2 * _PAD
    return max(wide, ports, 90.0), _HEAD + _LINE * len(lines) + (_PAD if lines else 0.0)


def _port_width(arrow: Arrow) -> float:
    return _length(_labelled(arrow)) * _CHARACTER + 2 * _PAD


def _ports(drawn: Sequence[_Drawn]) -> list[float]:
    """Where each arrow leaves its box: in the order of where they go, each with the room that its label needs."""
    found = [0.0] * len(drawn)
    inside: dict[int, list[int]] = {}
    for at, each in enumerate(drawn):
        inside.setdefault(id(each.passes[0]), []).append(at)
    for ats in inside.values():
        ats.sort(key=lambda at: (drawn[at].is_back, drawn[at].passes[1].middle))
        widths = [_port_width(drawn[at].arrow) for at in ats]
        x = drawn[ats[0]].passes[0].middle - sum(widths) / 2 + _PAD
        for at, width in zip(ats, widths, strict=True):
            found[at], x = x, x + width
    return found


def _way(drawn: _Drawn, x: float) -> str:
    source = drawn.passes[0]
    y = source.y + source.height
    way = f"M{x:.1f} {y:.1f}V{source.bottom:.1f}"
    y = source.bottom
    for place in drawn.passes[1:]:
        bend = (place.y - y) / 2
        way += f"C{x:.1f} {y + bend:.1f} {place.middle:.1f} {place.y - bend:.1f} {place.middle:.1f} {place.y - 2:.1f}"
        if place.box is None:
            way += f"V{place.bottom:.1f}"
        x, y = place.middle, place.bottom
    return f'<path class="a" d="{way}" marker-end="url(#m)"/>'


def _way_back(drawn: _Drawn, x: float, right: float, lane: int) -> str:
    """Below its own layer to the right, up, and down into the target from above."""
    source, target = drawn.passes[0], drawn.passes[-1]
    down, over = source.bottom + 22 + 4 * (lane % 5), target.y - 10 - 4 * (lane % 5)
    way = f"M{x:.1f} {source.y + source.height:.1f}V{down:.1f}H{right + _LANE * lane:.1f}V{over:.1f}"
    return f'<path class="a r" d="{way}H{target.middle + 16:.1f}V{target.y - 2:.1f}" marker-end="url(#m)"/>'


def _label(drawn: _Drawn, x: float) -> str:
    y = drawn.passes[0].y + drawn.passes[0].height + 14
    return f'<text class="l" x="{x + 4:.1f}" y="{y:.1f}">{escape(_labelled(drawn.arrow))}</text>'


def _box(place: _Place) -> Iterator[str]:
    assert place.box is not None
    kind = "b" if place.box.lines or not place.box.title.startswith("flow ") else "b o"
    frame = f'x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" rx="5"'
    yield f'<rect class="{kind}" {frame} height="{place.height:.1f}"/>'
    if place.box.lines:
        yield f'<rect class="b h" {frame} height="{_HEAD:.1f}"/>'
    yield f'<text class="t" x="{place.x + _PAD:.1f}" y="{place.y + 16:.1f}">{escape(place.box.title)}</text>'
    for at, line in enumerate(_shown(place.box)):
        text = line.lstrip(" ")
        x = place.x + _PAD + (len(line) - len(text)) * _CHARACTER
        yield f'<text x="{x:.1f}" y="{place.y + _HEAD + 4 + _LINE * (at + 0.7):.1f}">{escape(text)}</text>'


def _length(text: str) -> int:
    """In columns of a monospaced letter; Chinese signs take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _cut(text: str, most: int) -> str:
    if _length(text) <= most:
        return text
    kept = text[:most]
    while _length(kept) >= most:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"
