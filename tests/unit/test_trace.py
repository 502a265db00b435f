"""A figure leads back to its data, their commit and what differed from it."""

import json
import subprocess

import pytest
import synthetic
from example_jobs import job_and_record
from icl.figures import style
from icl.store import artifacts, provenance, trace

FACTS = {
    "git_revision": "abc123",
    "git_dirty": 1,
    "git_diff_digest": "d1ff",
    "git_diff": "+x = 1\n-x = 2",
    "versions": "python=3.11 torch=2.13",
    "platform": "Linux x86_64",
    "device": "cpu",
    "started": "2026-01-01T00:00:00+00:00",
    "wall_seconds": 12.5,
    "data_digest": "0" * 64,
}


@pytest.fixture
def results(tmp_path):
    """A size with one dataset and one figure drawn from it."""
    dataset = synthetic.acquisition(seeds=4)
    run = {key: value for key, value in FACTS.items() if key != "git_diff"}
    dataset.attrs |= {
        "title": "acquisition",
        "provenance": json.dumps([run, {**run, "wall_seconds": 7.5}]),
        "git_diffs": json.dumps({"d1ff": FACTS["git_diff"]}),
    }
    artifacts.write(dataset, tmp_path / "collected/acquisition.nc")
    attributes = artifacts.read(tmp_path / "collected/acquisition.nc").attrs
    facts = {
        "figure": "fig6",
        "preset": "laptop",
        "claims": {"linear_ticl": "undecided"},
        "datasets": {"acquisition": provenance.summary(attributes)},
        "drawn": {"commit": "def456", "versions": "matplotlib=3"},
    }
    metadata = {
        "Title": "fig6: T",
        "Subject": json.dumps(facts),
        "Keywords": ["acquisition.data=0", "linear_ticl.bands=ba2d"],
    }
    figure, _ = style.new_figure()
    style.save(figure, tmp_path / "figures/fig6.pdf", tmp_path / "figures/fig6.png", metadata)
    return tmp_path, attributes["data_digest"]


@pytest.mark.parametrize("kind", ["pdf", "png"])
def test_a_figure_tells_all(results, kind):
    folder, digest = results
    text = trace.trace(folder / f"figures/fig6.{kind}")
    for expected in (
        "claim linear_ticl: undecided; bands and options ba2d",
        f"digest {digest}",
        "commit abc123 with changes",
        "differs from the commit by d1ff",
        "torch=2.13",
        "device cpu, Linux x86_64",
        "2 jobs, begun 2026-01-01T00:00:00+00:00, 20.0 s in all",
        "+x = 1",
        "drawn at def456",
    ):
        assert expected in text
    assert "OTHER DATA" not in text


def test_data_that_changed_since_are_noticed(results):
    folder, _ = results
    path = folder / "collected/acquisition.nc"
    changed = artifacts.read(path)
    changed["icl_accuracy"] += 0.001
    artifacts.write(changed, path)
    text = trace.trace(folder / "figures/fig6.pdf")
    assert "OTHER DATA" in text
    assert "+x = 1" not in text
    path.unlink()
    assert "not beside the figure" in trace.trace(folder / "figures/fig6.png")


def test_a_dataset_tells_the_same(results):
    folder, digest = results
    text = trace.trace(folder / "collected/acquisition.nc")
    assert digest in text
    assert "20.0 s in all" in text
    assert "-x = 2" in text


def test_files_without_facts_are_refused_by_name(tmp_path):
    figure, _ = style.new_figure()
    style.save(figure, tmp_path / "a.pdf", tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 and no more")
    for name in ("a.pdf", "a.png", "a.txt", "broken.pdf", "none.png"):
        with pytest.raises(trace.TraceError, match=name):
            trace.trace(tmp_path / name)


def test_collecting_keeps_each_difference_once():
    job, record = job_and_record()
    parts = [artifacts.job_dataset(record, job, FACTS) for _ in range(3)]
    joined = artifacts.collect(parts, {})
    assert json.loads(joined.attrs["git_diffs"]) == {"d1ff": FACTS["git_diff"]}
    assert "+x" not in joined.attrs["provenance"]
    assert provenance.summary({**joined.attrs, "data_digest": "0"})["diffs"] == ["d1ff"]


def test_a_difference_is_recorded_and_bounded(tmp_path, monkeypatch):
    """In a repository of its own, with a change, a new file and a change that is too long."""

    def git(*words):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    code = tmp_path / "scripts/icl/store/provenance.py"
    code.parent.mkdir(parents=True)
    code.write_text("x = 1\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    monkeypatch.setattr(provenance, "ROOT", tmp_path.resolve())
    clean = provenance.gather()
    assert clean["git_dirty"] == 0
    assert "git_diff" not in clean
    code.write_text("x = 2\n")
    (code.parent / "new.py").write_text("")
    changed = provenance.gather()
    assert changed["git_revision"] == clean["git_revision"]
    assert "+x = 2" in changed["git_diff"]
    assert "?? scripts/icl/store/new.py" in changed["git_diff"]
    code.write_text("x = 2\n" * provenance.LONGEST_DIFF)
    longer = provenance.gather()
    assert longer["git_diff_digest"] != changed["git_diff_digest"]
    assert len(longer["git_diff"]) < provenance.LONGEST_DIFF + 100
    assert "more characters are not kept" in longer["git_diff"]
