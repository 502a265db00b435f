"""The graph of rules, asked of Snakemake and drawn as SVG."""

import re
import subprocess
import sys
from html import escape
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT, GAP_X, GAP_Y = 96, 30, 56, 22  # of a box, and between boxes

Edges = set[tuple[str, str]]


def ask() -> Edges:
    """Ask Snakemake which rule feeds which.

    Rules that draw a figure each count as one, and so do those that train an experiment each.

    Raises:
        RuntimeError: with what Snakemake says, if it fails.
    """
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "dot", "all"]
    command += ["--forceall", "--configfile", "config/smoke.yaml"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"snakemake --rulegraph failed:\n{result.stderr}")
    return read(result.stdout)


def read(dot: str) -> Edges:
    """Read the edges of a graph that Snakemake wrote, by the rules' names."""
    names = dict(re.findall(r'(?m)^\s*(\d+)\[label = "(\w+)"', dot))
    names = {node: re.sub(r"^(draw|train)_\w+", r"\1_*", name) for node, name in names.items()}
    pairs = re.findall(r"(?m)^\s*(\d+) -> (\d+)", dot)
    return {(names[a], names[b]) for a, b in pairs if names[a] != names[b]}


def layers(edges: Edges) -> list[list[str]]:
    """Put every rule right of all that feed it."""
    depth = dict.fromkeys({name for edge in edges for name in edge}, 0)
    for _ in depth:
        for a, b in edges:
            depth[b] = max(depth[b], depth[a] + 1)
    return [sorted(n for n in depth if depth[n] == d) for d in range(max(depth.values()) + 1)]


def routes(edges: Edges) -> dict[tuple[str, str], list[str]]:
    """Name the stops of every edge: its ends, and a place of its own in each column between."""
    depth = {name: d for d, names in enumerate(layers(edges)) for name in names}
    return {
        (a, b): [a, *(f"{a} {d} {b}" for d in range(depth[a] + 1, depth[b])), b]
        for a, b in sorted(edges)
    }


def places(edges: Edges) -> dict[str, tuple[float, float]]:
    """Place every stop, x and y of its box, each near the mean height of those that lead to it."""
    steps = {step for route in routes(edges).values() for step in pairwise(route)}
    columns = layers(steps)
    rows = max(map(len, columns))
    place: dict[str, tuple[float, float]] = {}
    for i, column in enumerate(columns):

        def height(name: str) -> float:
            above = [place[a][1] for a, b in steps if b == name]
            return sum(above) / len(above) if above else 0

        top = (rows - len(column)) * (HEIGHT + GAP_Y) / 2
        for j, name in enumerate(sorted(column, key=height)):
            place[name] = (i * (WIDTH + GAP_X) + 1, top + j * (HEIGHT + GAP_Y) + 1)
    return place


def svg(edges: Edges) -> str:
    """Draw the graph, in the page's own colour."""
    place, parts = places(edges), []
    boxes = {name: place[name] for name in {name for edge in edges for name in edge}}
    for route in routes(edges).values():
        path = ""
        for a, b in pairwise(route):
            x0, y0 = place[a][0] + WIDTH, place[a][1] + HEIGHT / 2
            x1, y1 = place[b][0], place[b][1] + HEIGHT / 2
            middle = (x0 + x1) / 2
            path += f"{'L' if path else 'M'}{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}"
        parts.append(f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".45"/>')
    for name, (x, y) in sorted(boxes.items()):
        parts.append(
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
            f'fill="none" stroke="currentColor"/><text x="{x + WIDTH / 2}" '
            f'y="{y + HEIGHT / 2 + 4}" text-anchor="middle" font-size="12" '
            f'fill="currentColor">{escape(name)}</text>'
        )
    width = max(x for x, _ in place.values()) + WIDTH + 1
    height = max(y for _, y in place.values()) + HEIGHT + 1
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="graph of rules" '
        f'style="max-width: 100%; font-family: sans-serif">{"".join(parts)}</svg>'
    )
