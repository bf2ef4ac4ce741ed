"""The coastline of the page: `python tools/coastline.py land-50m.json > plugins/orbitlake/page/static/coastline.json`.

What: the land areas of Natural Earth 4.1.0, 1:50m physical vectors, which are in the public domain
(https://www.naturalearthdata.com/about/terms-of-use/).

From: `land-50m.json` of the npm package world-atlas 2.0.2 (https://github.com/topojson/world-atlas, ISC licence,
copyright 2013-2019 Michael Bostock), which redistributes them as TopoJSON; SHA-256 of the file
619477ff690c086885e45cb91707d783805561bd75ae8e437b7d4694b0204e0f.

How: simplified to 0.12 degrees, without islands smaller than 0.4 degrees, rounded to 0.1 degrees, Antarctica closed
along the map's lower edge; SHA-256 of the result cd6f1d74910327aaca12003275379293a22ae665e6914e3c98b9193534f0b764.
"""

import json
import sys
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

TOLERANCE_DEG = 0.12
"""Half a pixel on a map 1,500 pixels wide."""
SMALLEST_DEG = 0.4
"""Islands whose box is smaller in both directions are left out."""
UNITS_A_DEGREE = 10

Point = tuple[float, float]


def arcs_deg(topology: dict[str, Any]) -> list[list[Point]]:
    """The arcs in degrees: deltas of whole numbers, scaled and shifted (TopoJSON format specification, 2.1.2)."""
    (scale_x, scale_y), (shift_x, shift_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    return [
        [
            (x * scale_x + shift_x, y * scale_y + shift_y)
            for x, y in accumulate(arc, lambda a, b: (a[0] + b[0], a[1] + b[1]))
        ]
        for arc in topology["arcs"]
    ]


def ring_deg(indices: list[int], arcs: list[list[Point]]) -> list[Point]:
    """One closed ring with longitudes that never jump: it may leave [-180, 180]."""
    points: list[Point] = []
    for index in indices:
        arc = arcs[index] if index >= 0 else arcs[~index][::-1]
        points += arc[1:] if points else arc
    unwrapped = [points[0]]
    for (before, _), (x, y) in pairwise(points):
        step = (x - before + 180) % 360 - 180
        unwrapped.append((unwrapped[-1][0] + step, y))
    if abs(unwrapped[-1][0] - unwrapped[0][0]) > 180:
        # Antarctica goes round the pole: it is closed along the map's lower edge.
        unwrapped += [(unwrapped[-1][0], -90.0), (unwrapped[0][0], -90.0)]
    return unwrapped


def simplified(points: list[Point]) -> list[Point]:
    """The points that lie further than the tolerance from the line through those kept (Douglas and Peucker 1973)."""
    keep = {0, len(points) - 1}
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        (x0, y0), (x1, y1) = points[first], points[last]
        dx, dy = x1 - x0, y1 - y0
        length_squared = dx * dx + dy * dy
        worst, where = TOLERANCE_DEG, None
        for i in range(first + 1, last):
            x, y = points[i]
            along = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / length_squared)) if length_squared else 0.0
            distance = ((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2) ** 0.5
            if distance > worst:
                worst, where = distance, i
        if where is not None:
            keep.add(where)
            spans += [(first, where), (where, last)]
    return [points[i] for i in sorted(keep)]


def rings(topology: dict[str, Any]) -> list[list[int]]:
    """Each ring as whole units: first longitude and latitude, then the differences from point to point."""
    arcs = arcs_deg(topology)
    found = []
    for geometry in topology["objects"]["land"]["geometries"]:
        for polygon in geometry["arcs"]:
            for indices in polygon:
                ring = ring_deg(indices, arcs)
                width, height = (max(values) - min(values) for values in zip(*ring, strict=True))
                if max(width, height) < SMALLEST_DEG:
                    continue
                units = [(round(x * UNITS_A_DEGREE), round(y * UNITS_A_DEGREE)) for x, y in simplified(ring)]
                steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(units) if a != b]
                found.append([value for point in (units[0], *steps) for value in point])
    return found


if __name__ == "__main__":
    source = json.loads(Path(sys.argv[1]).read_text())
    json.dump({"units_a_degree": UNITS_A_DEGREE, "rings": rings(source)}, sys.stdout, separators=(",", ":"))
    print()
