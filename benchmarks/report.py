"""Draw the results of the benchmarks and write their tables into docs/performance.md.

    python benchmarks/report.py [--json benchmarks/results.json]

In the document, what stands between `<!-- begin NAME -->` and `<!-- end NAME -->` is written here.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import store
from throughput import SIZES, Size
from throughput import table as peers_table

sys.path.insert(0, str(store.ROOT / "scripts"))

from icl.figures import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

DOCUMENT = store.ROOT / "docs/performance.md"
FIGURE = store.ROOT / "docs/performance.png"
LOOP, JAX = "PyTorch loop, target query", "JAX jit + scan + vmap"
SMALL, LARGE = "N=64, d=128", "N=100, d=512"
FASTER = {LOOP: {SMALL: 15, LARGE: 7}, JAX: {SMALL: 2, LARGE: 2}}  # at least
SHARE_OF_BOUND = {LARGE: 0.75}  # at least
OUTSIDE = {"laptop": 0.15, "paper": 0.10}  # at most
PEAK_MB = {"laptop": 1000, "paper": 2000}  # at most
VARIABLES = {
    "n_replicates": "replicates R",
    "context_length": "context length $N$",
    "n_items": "items $K$",
    "hidden_dim": "hidden width $d$",
}
SIZES_DRAWN = (SMALL, LARGE, "N=400, d=512")
COLOURS = dict(zip(SIZES_DRAWN, (style.ICL, style.IWL, style.PREDICTION), strict=True))


def targets(found: dict) -> str:
    """Lay every target beside what was measured, as a Markdown table."""
    rows = []
    sizes = found["peers"]["sizes"]
    for name, of_size in FASTER.items():
        for size, least in of_size.items():
            ratio = sizes.get(size, {}).get("engine_is_faster_by", {}).get(name)
            rows.append((f"faster than {name}, {size}", f"at least {least}x", ratio, least, "x"))
    for size, least in SHARE_OF_BOUND.items():
        share = sizes[size]["share_of_bound"]
        rows.append((f"share of the bound, {size}", f"at least {least}", share, least, ""))
    lines = ["| | target | measured | |", "|---|---|---|---|"]
    for what, target, value, least, unit in rows:
        if value is None:
            lines.append(f"| {what} | {target} | not measured | |")
            continue
        digits = 1 if unit else 2
        lines.append(f"| {what} | {target} | {value:.{digits}f}{unit} | {_met(value >= least)} |")
    for job in found["jobs"]["jobs"]:
        name, most = _job_name(job), OUTSIDE[job["preset"]]
        share, peak, limit = job["outside_the_step"], job["peak_mb"], PEAK_MB[job["preset"]]
        lines.append(
            f"| outside the step, {name} | under {most:.0%} | {share:.0%} | {_met(share < most)} |"
        )
        lines.append(
            f"| peak memory, {name} | under {limit:,} MB | {peak:,.0f} MB | {_met(peak < limit)} |"
        )
    return "\n".join(lines)


def _met(met: bool) -> str:
    return "met" if met else "**not met**"


def _job_name(job: dict) -> str:
    n_items = "infinity" if job["n_items"] is None else f"{job['n_items']:,}"
    return f"{job['preset']} {job['experiment']}, K = {n_items}"


def jobs_table(found: dict) -> str:
    """Lay the parts of every job's time out as a Markdown table."""
    lines = [
        "| job | N, d, R | step | drawing | evaluation | every | setting up | peak | estimate |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for job in found["jobs"]["jobs"]:
        part, n = job["seconds"], job["n_replicates"]
        lines.append(
            f"| {_job_name(job)} | {job['context_length']}, {job['hidden_dim']}, {n} "
            f"| {1e3 * part['step'] / n:.2f} ms | {1e3 * part['sampling'] / n:.2f} ms "
            f"| {1e3 * part['evaluation'] / n:.1f} ms | {job['every']} steps "
            f"| {part['setup']:.1f} s | {job['peak_mb']:,.0f} MB | {job['estimated_mb']:,} MB |"
        )
    return "\n".join(lines)


def growth_text(found: dict) -> str:
    """Say how much of a step grows with N; the figure shows how it grows with all."""
    shares = [
        f"{_share_of_context(SIZES[base], panels):.0%} at {base}"
        for base, panels in found["growth"]["bases"].items()
    ]
    return f"By the least and the greatest N, {', '.join(shares)} of a step grows with N."


def _share_of_context(size: Size, panels: dict) -> float:
    """Estimate the share of a step that is linear in N."""
    lengths, seconds = panels["context_length"]["values"], panels["context_length"]["seconds"]
    slope = (seconds[-1] - seconds[0]) / (lengths[-1] - lengths[0])
    n_replicates = panels["n_replicates"]
    whole = n_replicates["seconds"][n_replicates["values"].index(size.n_replicates)]
    return slope * size.context_length / whole


def peers(found: dict) -> str:
    """Lay the contenders' rates out, and say on what they were measured."""
    about = found["peers"]["about"]
    sizes = found["peers"]["sizes"]
    rates = ", ".join(f"{result['gemm_gflops']:.0f}" for result in sizes.values())
    return (
        f"{peers_table(sizes)}\n\nMeasured on {about['processor']}; {about['versions']}; "
        f"mean load {about['load']}, the benchmark's own included. "
        f"The large matrix product ran at {rates} GFLOP/s meanwhile."
    )


def fill(document: str, blocks: dict[str, str]) -> str:
    """Replace what stands between each block's markers.

    Raises:
        ValueError: if a block has no markers.
    """
    for name, text in blocks.items():
        pattern = rf"(?s)(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
        block = f"\n{text}\n\n"
        document, n = re.subn(pattern, lambda m, b=block: m[1] + b + m[2], document)
        if n != 1:
            raise ValueError(f"the document has {n} blocks named {name}")
    return document


def blocks(found: dict) -> dict[str, str]:
    """Write every block of the document."""
    return {
        "targets": targets(found),
        "peers": peers(found),
        "jobs": jobs_table(found),
        "growth": growth_text(found),
    }


def draw(found: dict) -> Figure:
    """Draw ratios and the share of the bound above, growth below; a size has one colour."""
    figure, (top, below) = style.new_rows(2, (2.6, 1.9))
    ratios, share = top.subplots(1, 2, width_ratios=(2.2, 1))
    sizes = found["peers"]["sizes"]
    _draw_ratios(ratios, sizes)
    _draw_share(share, sizes)
    growth = below.subplots(1, len(VARIABLES), sharey=True)
    bases = found["growth"]["bases"]
    for ax, variable in zip(growth, VARIABLES, strict=True):
        _draw_growth(ax, bases, variable)
    growth[0].set_ylabel("ms per step of a seed")
    style.panel(ratios, "a", "times faster than others")
    style.panel(share, "b", "speed over that\nof its matrix products")
    style.panel(growth[0], "c", "growth")
    handles = [Line2D([], [], marker="o", ls="", color=COLOURS[size], label=size) for size in sizes]
    style.legend_above(figure, handles)
    return figure


def _draw_ratios(ax, sizes: dict) -> None:
    """Draw how many times faster the engine is than each peer; a tick is the target."""
    names = [n for n in next(iter(sizes.values()))["engine_is_faster_by"] if n != "engine"]
    for row, (size, result) in enumerate(sizes.items()):
        for at, name in enumerate(names):
            y = at + 0.24 * (row - (len(sizes) - 1) / 2)
            ax.plot(result["engine_is_faster_by"][name], y, "o", ms=4, color=COLOURS[size])
            target = FASTER.get(name, {}).get(size)
            if target:
                ax.plot(target, y, "|", ms=7, mew=1.6, color=COLOURS[size])
    ax.set_xscale("log")
    ax.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    ax.minorticks_off()
    ax.set_yticks(range(len(names)), [name.replace(", ", ",\n") for name in names])
    ax.grid(axis="y", lw=0.4)
    ax.invert_yaxis()


def _draw_share(ax, sizes: dict) -> None:
    """Draw the share of the bound, which the large matrix product's own speed sets."""
    for at, (size, result) in enumerate(sizes.items()):
        ax.plot(result["share_of_bound"], at, "o", ms=4, color=COLOURS[size])
        if size in SHARE_OF_BOUND:
            ax.plot(SHARE_OF_BOUND[size], at, "|", ms=9, mew=1.6, color=COLOURS[size])
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    ax.set_yticks([])
    ax.set_ylim(len(sizes) - 0.5, -0.5)


def _draw_growth(ax, bases: dict, variable: str) -> None:
    """Draw the time of a step against one size, all others as in the size of that colour."""
    for base, panels in bases.items():
        panel = panels[variable]
        milliseconds = [1e3 * seconds for seconds in panel["seconds"]]
        ax.plot(panel["values"], milliseconds, "o-", ms=3, lw=1, color=COLOURS[base])
    values = panel["values"]
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    named = values[:: -(-len(values) // 3)]
    ax.set_xticks(named, [f"{v // 1000}k" if v >= 1000 else str(v) for v in named])
    ax.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    ax.minorticks_off()
    ax.set_ylim(0.13, 3)
    ax.set_xlabel(f"${VARIABLES[variable].split()[-1].strip('$')}$")


def main() -> None:
    """Draw the figure and fill the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=store.ROOT / "benchmarks/results.json")
    parser.add_argument("--figure", type=Path, default=FIGURE)
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    arguments = parser.parse_args()
    found = json.loads(arguments.json.read_text(encoding="utf-8"))
    draw(found).savefig(arguments.figure, metadata={"Title": "Performance"})
    text = arguments.document.read_text(encoding="utf-8")
    arguments.document.write_text(fill(text, blocks(found)), encoding="utf-8")


if __name__ == "__main__":
    main()
