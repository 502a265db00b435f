"""What the paper's size would cost on a GPU, estimated; icl.planning.gpu says how.

python benchmarks/gpu.py
"""

import sys

import store

sys.path.insert(0, str(store.ROOT / "scripts"))

from icl.job import Job, items_text
from icl.planning.gpu import SHARES, demand_at, hours
from jobs import preset_jobs


def table() -> str:
    """Lay the estimates for the paper's size out as Markdown."""
    lines = [
        "| estimate (R: replicates of a block) | operations per replicate-step | bytes "
        "| kernels per step | memory of a replicate | R that fills the card "
        "| limited by, own R | limited by, filled |",
        "|---|---|---|---|---|---|---|---|",
    ]
    totals = [
        "| estimate, all jobs | replicate-steps at most |"
        + "".join(f" hours at {share:.0%} of peak, own R | filled |" for share in SHARES),
        "|---|---|" + "---|---|" * len(SHARES),
    ]
    for experiment in ("transition", "acquisition"):
        jobs = preset_jobs("paper", experiment)
        ordered = sorted(
            jobs, key=lambda job: (job.context_length, 0 if job.is_redrawn else job.n_items)
        )
        lines += [_row(experiment, job) for job in (ordered[0], ordered[-1])]
        n = sum(len(job.seeds) * job.steps for job in jobs)
        cells = [f"{hours(jobs, share, filled):,.1f}" for share in SHARES for filled in (0, 1)]
        totals.append(f"| {experiment} | {n / 1e6:,.0f} million | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *totals])


def _row(experiment: str, job: Job) -> str:
    asked, own = demand_at(job), len(job.seeds)
    n_items = items_text(job.n_items, ",")
    each = f" + {asked.kernels_per_replicate:.0f} R" if asked.kernels_per_replicate else ""
    limited = []
    for n_replicates in (own, asked.block):
        limits = asked.limits(n_replicates, SHARES[-1])
        limited.append(max(limits, key=limits.get))
    return (
        f"| {experiment}, N = {job.context_length}, K = {n_items}, R = {own} "
        f"| {asked.operations / 1e9:.2f} G | {asked.bytes / 1e6:.0f} MB "
        f"| {asked.kernels:.0f}{each} | {asked.memory / 1e6:.0f} MB | {asked.block:,} "
        f"| {limited[0]} | {limited[1]} |"
    )


if __name__ == "__main__":
    print(table())
