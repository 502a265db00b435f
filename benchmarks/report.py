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
COLOURS = dict(zip((SMALL, LARGE, "N=400, d=512"), style.PALETTE[:3], strict=True))


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


def growth_table(found: dict) -> str:
    """Lay the growth out as a Markdown table, in microseconds per replicate-step."""
    lines = ["| | microseconds per replicate-step |", "|---|---|"]
    for base, panels in found["growth"]["bases"].items():
        for variable, panel in panels.items():
            pairs = zip(panel["values"], panel["seconds"], strict=True)
            cells = "; ".join(f"{value:,}: {1e6 * seconds:,.0f}" for value, seconds in pairs)
            lines.append(f"| {base}, {VARIABLES[variable].replace('$', '')} | {cells} |")
    shares = [
        f"{_share_of_context(SIZES[base], panels):.0%} at {base}"
        for base, panels in found["growth"]["bases"].items()
    ]
    lines += ["", f"By the least and the greatest N, {', '.join(shares)} of a step grows with N."]
    return "\n".join(lines)


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
        "growth": growth_table(found),
    }


def draw(found: dict) -> Figure:
    """Draw ratios and the share of the bound above, growth below."""
    style.apply()
    figure = Figure(figsize=(style.COLUMN_INCHES[2], 5.4), layout="constrained")
    grid = figure.add_gridspec(2, 4, height_ratios=(1.45, 1))
    ratios, share = figure.add_subplot(grid[0, :3]), figure.add_subplot(grid[0, 3])
    _draw_ratios(ratios, found["peers"]["sizes"])
    _draw_share(share, found["peers"]["sizes"])
    first = None
    for column, variable in enumerate(VARIABLES):
        ax = figure.add_subplot(grid[1, column], sharey=first)
        first = first or ax
        _draw_growth(ax, found["growth"]["bases"], variable)
        if column:
            ax.tick_params(labelleft=False)
    first.set_ylabel("ms per replicate-step")
    for ax, letter in zip((ratios, share, first), "abc", strict=True):
        style.panel_label(ax, letter)
    about = found["peers"]["about"]
    style.footer(figure, f"{about['processor']}; {about['versions']}; D = 63, batch 128")
    return figure


def _draw_ratios(ax, sizes: dict) -> None:
    names = [n for n in next(iter(sizes.values()))["engine_is_faster_by"] if n != "engine"]
    height = 0.8 / len(sizes)
    for row, (size, result) in enumerate(sizes.items()):
        for at, name in enumerate(names):
            y, ratio = (
                at + (row - (len(sizes) - 1) / 2) * height,
                result["engine_is_faster_by"][name],
            )
            ax.barh(y, ratio, 0.9 * height, color=COLOURS[size], label=None if at else size)
            inside = {"color": "white", "fontsize": 5.5, "fontweight": "bold"}
            ax.text(1.03, y, f"{ratio:.1f}", va="center_baseline", **inside)
            target = FASTER.get(name, {}).get(size)
            if target:
                ends = (y - height / 2, y + height / 2)
                label = "target" if (name, size) == (LOOP, SMALL) else None
                ax.plot((target, target), ends, color=style.FIT, lw=1.6, label=label)
    ax.set_xscale("log")
    ax.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    ax.set_xlim(1, None)
    ax.minorticks_off()
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlabel("the engine is faster by")
    ax.legend(loc="best")


def _draw_share(ax, sizes: dict) -> None:
    for at, (size, result) in enumerate(sizes.items()):
        share = result["share_of_bound"]
        ax.bar(at, share, 0.7, color=COLOURS[size])
        ax.text(at, share, f"{share:.2f}", ha="center", va="bottom", fontsize=6)
        if size in SHARE_OF_BOUND:
            least = SHARE_OF_BOUND[size]
            ax.plot((at - 0.45, at + 0.45), (least, least), color=style.FIT, lw=1.6)
    ax.set_xticks(range(len(sizes)), [size.replace(", ", "\n") for size in sizes])
    ax.tick_params(axis="x", labelsize=6)
    ax.set_ylim(0, 1)
    ax.set_ylabel("share of the bound")


def _draw_growth(ax, bases: dict, variable: str) -> None:
    for base, panels in bases.items():
        panel = panels[variable]
        milliseconds = [1e3 * seconds for seconds in panel["seconds"]]
        ax.plot(panel["values"], milliseconds, "o-", ms=3, color=COLOURS[base])
    values = panel["values"]
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(values, [f"{v // 1000}k" if v >= 1000 else str(v) for v in values])
    ax.set_yticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    ax.minorticks_off()
    ax.set_ylim(0.7, 9)
    ax.set_xlabel(VARIABLES[variable])


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
