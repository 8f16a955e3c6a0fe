"""Draw lines on axes of powers of ten, as SVG without any library."""

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 860, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 300, 20, 50
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22")
#: lines of the same colour differ in their dashes
_DASHES = ("none", "6 3", "2 2")
#: height of a line of text
_LINE = 15.0

Points = Sequence[tuple[float, float]]


class _Axis:
    """Maps values to places; its ends are powers of ten."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.first = math.floor(math.log10(min(values)))
        self.last = max(math.ceil(math.log10(max(values))), self.first + 1)
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        """Where a value is."""
        share = (math.log10(value) - self.first) / (self.last - self.first)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[tuple[float, str]]:
        """Place and label of each power of ten."""
        powers = range(self.first, self.last + 1)
        return [(self.place(10.0**power), f"{10.0**power:,g}") for power in powers]


def write_plot(series: Mapping[str, Points], across: str, up: str) -> str:
    """The SVG of named lines, with the names at their right ends."""
    points = [point for each in series.values() for point in each]
    if not points:
        raise ValueError("nothing to draw")
    horizontal = _Axis([x for x, _ in points], _LEFT, _WIDTH - _RIGHT)
    vertical = _Axis([y for _, y in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        *_grid(horizontal, vertical),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, across, "middle"),
        _text(_LEFT, _TOP - 6, up, "middle"),
    ]
    ends = {name: vertical.place(each[-1][1]) for name, each in series.items()}
    places = _apart(ends)
    for number, (name, each) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        dash = _DASHES[number // len(_COLOURS) % len(_DASHES)]
        drawn = " ".join(f"{horizontal.place(x):.1f},{vertical.place(y):.1f}" for x, y in each)
        right = horizontal.place(each[-1][0])
        parts += [
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.5" '
            f'stroke-dasharray="{dash}"/>',
            f'<path d="M{right:.1f},{ends[name]:.1f} L{_WIDTH - _RIGHT + 22},{places[name]:.1f}" '
            f'stroke="{colour}" stroke-width="0.5"/>',
            _text(_WIDTH - _RIGHT + 26, places[name] + 4, name, "start", colour),
        ]
    return "\n".join((*parts, "</svg>", ""))


def _grid(horizontal: _Axis, vertical: _Axis) -> list[str]:
    lines = []
    for x, label in horizontal.ticks():
        lines.append(f'<path d="M{x:.1f},{_TOP} V{_HEIGHT - _BOTTOM}" stroke="#ddd"/>')
        lines.append(_text(x, _HEIGHT - _BOTTOM + 16, label, "middle"))
    for y, label in vertical.ticks():
        lines.append(f'<path d="M{_LEFT},{y:.1f} H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        lines.append(_text(_LEFT - 6, y + 4, label, "end"))
    return lines


def _apart(places: Mapping[str, float]) -> dict[str, float]:
    """Places of the names, moved so that no two are on each other."""
    moved: dict[str, float] = {}
    lowest = _HEIGHT - _LINE * (len(places) + 1)
    above = 0.0
    for name, place in sorted(places.items(), key=lambda each: each[1]):
        # the names that follow need their lines, too
        above = max(min(place, lowest + _LINE * (len(moved) + 1)), above + _LINE)
        moved[name] = above
    return moved


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{escape(text)}</text>"
