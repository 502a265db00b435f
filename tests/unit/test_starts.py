"""Seeds that share a start, and how much of their spread it makes."""

from dataclasses import replace

import example_jobs
import numpy as np
import pytest
import synthetic
import torch
import xarray as xr
from committed import BEYOND
from icl import claims, measurements
from icl.claims import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from icl.engine import training
from icl.measurements import starts
from icl.statistics import hypotheses

CLAIM = BEYOND["start_decides"]
PER_START = 3
DRAWS = 200


def test_seeds_of_a_start_have_its_weights_and_data_of_their_own():
    job = replace(example_jobs.job(seeds={"count": 4}, block_size=4), seeds_per_start=2)
    own = training.Ensemble(replace(job, seeds_per_start=1), torch.device("cpu"))
    shared = training.Ensemble(job, torch.device("cpu"))
    for name, weights in shared.parameters.items():
        assert torch.equal(weights, own.parameters[name][[0, 0, 2, 2]])
    assert torch.equal(shared.data.tables.labels, own.data.tables.labels)
    assert not torch.equal(shared.data.tables.labels[0], shared.data.tables.labels[1])
    assert job.name != replace(job, seeds_per_start=1).name


def test_a_start_does_not_hang_on_the_block():
    """Its weights are those of the first of its seeds, wherever blocks are cut."""
    seeds = {"first": 3, "count": 3, "per_start": 3}
    whole = example_jobs.job(seeds=seeds, block_size=3)
    alone = replace(whole, seeds=(5,))
    one, three = (training.Ensemble(job, torch.device("cpu")) for job in (alone, whole))
    for name, weights in one.parameters.items():
        assert torch.equal(weights[0], three.parameters[name][2])


def normals(generator, share, starts=96):
    """Draw (S, k) values of which the start makes a share of the variance."""
    start = generator.standard_normal((starts, 1)) * share**0.5
    return start + generator.standard_normal((starts, PER_START)) * (1 - share) ** 0.5


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_the_interval_holds_the_share_as_often_as_it_says(share):
    found = np.array(
        [
            hypotheses.between_groups(normals(np.random.default_rng(i), share, 24))
            for i in range(1000)
        ]
    )
    assert abs(((found[:, 1] <= share) & (share <= found[:, 2])).mean() - 0.95) < 0.025
    assert abs(found[:, 0].mean() - share) < 0.03


def runs(generator, share, starts=96):
    """Runs at K = infinity whose log t_ICL has that share."""
    t_icl = 300 * np.exp(0.33 * normals(generator, share, starts)).ravel()
    step = np.arange(0, 24001, 50)
    accuracy = np.where(step * synthetic.RATE < t_icl[:, None], 0.55, 1.0)
    seed = np.arange(3_000_000, 3_000_000 + len(t_icl))
    n, k = np.full(len(seed), 64), np.full(len(seed), np.inf)
    data = synthetic.dataset("starts", n, k, seed, accuracy, np.full_like(accuracy, 0.5), step)
    jobs = data.attrs["jobs"].replace('"numerics": 1', '"numerics": 1, "seeds_per_start": 3')
    return data.assign_attrs(jobs=jobs)


def judged(data):
    roles = {"acquisition": data}
    claim = {**CLAIM, "experiments": {"acquisition": "starts"}}
    return claims.evaluate(claim, "start_decides", roles, "beyond")


@pytest.mark.parametrize(
    ("share", "reproduced", "refused"), [(0.75, 0.95, 0), (0.2, 0, 0.95), (0.59, 0, 0)]
)
def test_a_start_that_decides_is_told_from_data_that_do(share, reproduced, refused):
    """With beta0 alone, 0.59, the claim is never refused: only the interval excludes that."""
    found = np.array(
        [hypotheses.between_groups(normals(np.random.default_rng(i), share)) for i in range(DRAWS)]
    )
    (low, _) = CLAIM["criteria"][0]["band"]
    shares = np.mean(found[:, 1] >= low), np.mean(found[:, 2] < low)
    for said, least in zip(shares, (reproduced, refused), strict=True):
        assert said >= least
    if not refused:
        assert shares[1] <= 0.01


@pytest.mark.parametrize(("share", "verdict"), [(0.8, REPRODUCED), (0.2, NOT_REPRODUCED)])
def test_the_claim_is_judged_by_that_share(share, verdict):
    assert judged(runs(np.random.default_rng(0), share)).verdict == verdict


def test_beta0_and_fate_are_measured_beside():
    """Starts whose beta0 makes t_ICL, and whose runs near K* acquire or do not together."""
    generator = np.random.default_rng(0)
    acquisition = runs(generator, 0.9, 48)
    log_t = np.log(acquisition["icl_accuracy"].values.argmax(axis=1)).reshape(-1, PER_START)
    at_start = ("run", "evaluation"), -np.repeat(log_t.mean(1), PER_START)[:, None]
    initial = acquisition.isel(evaluation=[0])
    initial = initial.assign(beta=at_start, item_overlap=xr.ones_like(initial["icl_accuracy"]))
    fate = np.repeat(generator.random(48) < 0.5, PER_START)
    accuracy = np.full(acquisition["icl_accuracy"].shape, 0.5)
    accuracy[fate, 1:] = 1.0
    near = acquisition.assign(icl_accuracy=(("run", "evaluation"), accuracy))
    roles = {"acquisition": acquisition, "near_threshold": near, "initial_beta": initial}
    found = starts.start_or_data(roles, CLAIM["options"])
    assert set(found.estimates) == set(measurements.declared()["start_or_data"].quantities)
    assert found.estimates["fate_share"].value == pytest.approx(1)
    assert found.estimates["beta0_share"].value > 0.99
    assert found.estimates["beta0_slope"].value == pytest.approx(-1, abs=0.01)


def test_seeds_that_share_no_start_cannot_say():
    data = runs(np.random.default_rng(0), 0.75)
    plain = data.assign_attrs(jobs=data.attrs["jobs"].replace(', "seeds_per_start": 3', ""))
    found = judged(plain)
    assert found.verdict == UNDECIDED
    assert "no two seeds share a start" in found.reason
