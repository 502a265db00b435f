"""The explorer keeps every curve, thinned and quantised, of whatever experiment."""

import base64
import json

import numpy as np
import pytest
import synthetic
import xarray as xr
from icl import artifacts, explorer
from test_artifacts import job_and_record

FACTS = {"git_revision": "abc", "git_dirty": 1, "device": "cpu", "wall_seconds": 3.0}


def unpacked(curve, shape):
    levels = np.frombuffer(base64.b64decode(curve["data"]), "<u2").reshape(shape).astype(float)
    levels[levels == explorer.NOT_RECORDED] = np.nan
    return curve["low"] + (curve["high"] - curve["low"]) * levels / explorer.LEVELS


@pytest.fixture
def collected(tmp_path):
    """Two jobs that differ in N, K and schedule, one of whose replicates stopped early."""
    parts = []
    for n_items, length, every in ((16, 4, 10), ("infinity", 8, 25)):
        job, record = job_and_record(n_items, length, every)
        parts.append(artifacts.job_dataset(record, job, FACTS))
    attributes = {"title": "x: both", "experiment": "e", "missing_blocks": "[]", "preset": "smoke"}
    artifacts.write(artifacts.collect(parts, attributes), tmp_path / "e.nc")
    return artifacts.read(tmp_path / "e.nc")


def test_numbers_survive_but_for_a_rounding():
    values = np.array([[0.1, np.nan, -3.0], [7.5, 0.0, np.inf]])
    found = unpacked(explorer.quantise(values), values.shape)
    expected = np.where(np.isfinite(values), values, np.nan)
    np.testing.assert_allclose(found, expected, atol=10.5 / explorer.LEVELS)
    np.testing.assert_array_equal(unpacked(explorer.quantise(np.full(3, np.nan)), 3), [np.nan] * 3)
    np.testing.assert_array_equal(unpacked(explorer.quantise(np.full(3, 2.0)), 3), [2.0] * 3)


def test_curves_stand_at_their_steps(collected):
    found = explorer.describe(collected, points=240)
    runs, width = collected.sizes["run"], found["points"]
    for name in ("icl_accuracy", "icl_loss"):
        values = unpacked(found["curves"][name], (runs, width))
        for run in range(runs):
            steps = found["steps"][found["runs"]["schedule"][run]]
            own = collected.isel(run=run)
            known = {
                int(step): value
                for step, value in zip(own["step"].values, own[name].values, strict=True)
                if np.isfinite(step)
            }
            shown = dict(zip(steps, values[run], strict=True))
            shown.pop(None, None)
            assert set(shown) == set(known)
            for step, value in known.items():
                np.testing.assert_allclose(shown[step], value, atol=1e-3)


def test_a_curve_is_named_as_its_data_name_it(collected):
    named = collected.assign(beta=collected.icl_loss.assign_attrs(long_name="beta itself"))
    curves = explorer.describe(named, points=240)["curves"]
    assert curves["beta"]["title"] == "beta itself"
    assert curves["icl_loss"]["unit"] == "nat"


def test_runs_can_be_chosen_by_what_differs(collected):
    found = explorer.describe(collected, points=240)
    choices = found["choices"]
    assert set(choices) == {"context_length", "n_items"}
    assert choices["n_items"]["values"] == ["16", "∞"]
    k = [choices["n_items"]["values"][i] for i in choices["n_items"]["of_run"]]
    assert k == ["16" if np.isfinite(x) else "∞" for x in collected["n_items"].values]
    assert found["runs"]["seed"] == collected["seed"].values.tolist()
    decayed = collected.assign_coords(w_decay=("run", [0.0, 0.0, 0.001, 0.001]))
    assert explorer.describe(decayed, 240)["choices"]["w_decay"]["values"] == ["0", "0.001"]


def test_a_run_tells_its_provenance(collected):
    found = explorer.describe(collected, points=240)
    lines = found["jobs"][found["runs"]["job"][-1]]
    assert any("abc with changes" in line for line in lines)
    assert any("cpu" in line and "3 s for 2 seeds" in line for line in lines)


@pytest.mark.parametrize("points", [2, 5, 11])
def test_thinning_keeps_the_ends(collected, points):
    found = explorer.describe(collected, points)
    assert found["points"] == points
    for row in found["steps"]:
        assert row[0] == 0
        assert [step for step in row if step is not None][-1] == 100


def test_the_paper_size_fits():
    """A thousand runs of 3,000 evaluations, ten curves each: under the 15 MB of the page."""
    runs, evaluations = 1000, 3000
    shape = ("run", "evaluation")
    curves = {
        f"v{i}": (shape, np.random.default_rng(i).random((runs, evaluations))) for i in range(10)
    }
    dataset = xr.Dataset(curves)
    points = explorer.points_per_curve([dataset])
    kept = dataset.isel(evaluation=explorer.thinned(evaluations, points))
    size = sum(len(explorer.quantise(kept[name].values)["data"]) for name in curves)
    assert points > 100
    assert size < 9e6


def test_the_theorys_flow_starts_where_the_run_does():
    dataset = synthetic.acquisition(lengths=(16, 32), seeds=1)
    model = {"name": "minimal", "item_dim": 63, "hidden_dim": 128}
    jobs = [{"model": model, "seeds": [0]} for _ in range(2)]
    nothing = xr.zeros_like(dataset["icl_accuracy"])
    dataset = dataset.assign(beta=nothing + 0.3, w=nothing + 0.1).assign_coords(
        w_decay=("run", [0.0, 0.0]),
        beta_decay=("run", [0.0, 1.0]),
        context_labels=("run", ["random"] * 2),
    )
    dataset.attrs["jobs"] = json.dumps(jobs)
    dataset.attrs["provenance"] = json.dumps([FACTS] * 2)
    (only,) = explorer._flows(dataset)  # none for the run whose beta decays
    assert only["run"] == 0
    assert (only["beta"][0], only["w"][0]) == (0.3, 0.1)
    assert only["beta"][-1] > 0.5


def test_the_page_is_whole(collected):
    page = explorer.page(
        "<script>@PLOTLY@</script><script>D = @DATA@;</script>", {"e": collected}, "s"
    )
    assert len(page) > 3e6
    data = page[page.rindex("<script>D = ") + 12 : page.rindex(";</script>")]
    assert json.loads(data)["experiments"][0]["name"] == "e"
