"""The benchmarks measure what they say, on sizes that take no time."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import growth
import jobs
import report
import store
import throughput
from example_jobs import job

TOY = throughput.Size(context_length=4, n_items=32, hidden_dim=16, n_replicates=2)


def test_the_bound_counts_products_with_weights():
    # Q, K and V, then the two hidden layers; forwards once, backwards twice, two operations each.
    weights = 3 * 65 * 65 + 65 * 16 + 16 * 16
    assert TOY.operations == 128 * weights * 2 * 3


def test_ratios_and_share_of_the_bound():
    gemm = 2 * throughput.GEMM_SIZE**3 / 1e11  # at 100 GFLOP/s
    ideal = TOY.operations / 1e11
    seconds = {"engine": 2 * ideal, "peer": 10 * ideal, "matrix product": gemm}
    summary = throughput.summarise(TOY, seconds)
    assert summary["engine_is_faster_by"] == {"engine": 1, "peer": pytest.approx(5)}
    assert summary["share_of_bound"] == pytest.approx(0.5)
    assert summary["gemm_gflops"] == pytest.approx(100)
    assert "| peer | " in throughput.table({"toy": summary})


def test_peers_and_growth_write_sections_of_one_file(tmp_path, monkeypatch, capsys):
    path = tmp_path / "results.json"
    monkeypatch.setattr(throughput, "SIZES", {"toy": TOY})
    monkeypatch.setattr(sys, "argv", ["throughput", "--json", str(path), "--rounds", "2"])
    throughput.main()
    monkeypatch.setattr(growth, "SIZES", {"toy": TOY})
    monkeypatch.setattr(growth, "VALUES", {"n_items": (16, 32)})
    arguments = ["growth", "--json", str(path), "--turns", "1", "--bases", "toy"]
    monkeypatch.setattr(sys, "argv", arguments)
    growth.main()
    found = json.loads(path.read_text())
    rates = found["peers"]["sizes"]["toy"]["replicate_steps_per_second"]
    assert len(rates) >= 5
    assert min(rates.values()) > 0
    assert len(found["growth"]["bases"]["toy"]["n_items"]["seconds"]) == 2
    assert "toy, n_items" in capsys.readouterr().out


def test_the_parts_of_a_job():
    times = jobs.run(job(n_items=32), 5)
    assert min(times.step, times.sampling, times.evaluation, times.setup) > 0
    shares = jobs.Times(setup=9, step=3, sampling=1, evaluation=20)
    assert shares.outside(every=10) == pytest.approx(30 / 60)


def test_every_job_that_is_measured_is_found():
    found = [jobs.find(*where) for where in jobs.MEASURED]
    assert [job.is_redrawn for job in found] == [where[2] is None for where in jobs.MEASURED]


def test_the_document_shows_the_results():
    """Otherwise: python benchmarks/report.py."""
    found = json.loads((store.ROOT / "benchmarks/results.json").read_text())
    document = report.DOCUMENT.read_text()
    for text in (
        report.targets(found),
        report.peers(found),
        report.jobs_table(found),
        report.growth_text(found),
    ):
        assert text in document
