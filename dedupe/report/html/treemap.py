"""A treemap: areas in proportion to bytes, rectangles as square as they come.

Squarified layout: a row of rectangles along the shorter side grows while the worst ratio of sides
in it gets better. Source: Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000).
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in units of the drawing."""

    x: float
    y: float
    width: float
    height: float

    def inner(self, margin: float, top: float = 0.0) -> "Box":
        """What is left inside a margin, and a heading at the top."""
        return Box(
            self.x + margin,
            self.y + margin + top,
            max(self.width - 2 * margin, 0.0),
            max(self.height - 2 * margin - top, 0.0),
        )


def squarify(weights: Sequence[float], box: Box) -> list[Box]:
    """A box for each weight, in the order given; weights must be positive and fall."""
    total = sum(weights)
    if not weights or total <= 0 or box.width <= 0 or box.height <= 0:
        return [Box(box.x, box.y, 0.0, 0.0) for _ in weights]
    scale = box.width * box.height / total
    areas = [weight * scale for weight in weights]
    boxes: list[Box] = []
    first = 0
    while first < len(areas):
        side = min(box.width, box.height)
        last, row = first + 1, areas[first]
        while last < len(areas) and _worst(areas[first : last + 1], side) <= _worst(
            areas[first:last], side
        ):
            row += areas[last]
            last += 1
        placed, box = _row(areas[first:last], row, box)
        boxes += placed
        first = last
    return boxes


def _worst(areas: Sequence[float], side: float) -> float:
    total = sum(areas)
    thickness = total / side if side else 0.0
    return max(
        max(thickness * thickness / area, area / (thickness * thickness)) if area else float("inf")
        for area in areas
    )


def _row(areas: Sequence[float], total: float, box: Box) -> tuple[list[Box], Box]:
    """Boxes along the shorter side, and what is left of the box."""
    placed = []
    if box.width >= box.height:
        thickness = total / box.height if box.height else 0.0
        y = box.y
        for area in areas:
            height = area / thickness if thickness else 0.0
            placed.append(Box(box.x, y, thickness, height))
            y += height
        left = Box(box.x + thickness, box.y, max(box.width - thickness, 0.0), box.height)
    else:
        thickness = total / box.width if box.width else 0.0
        x = box.x
        for area in areas:
            width = area / thickness if thickness else 0.0
            placed.append(Box(x, box.y, width, thickness))
            x += width
        left = Box(box.x, box.y + thickness, box.width, max(box.height - thickness, 0.0))
    return placed, left
