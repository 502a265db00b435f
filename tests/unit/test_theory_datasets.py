"""The race, and the datasets that the figures of the theory are drawn from."""

import numpy as np
import pytest
import xarray as xr
from committed import predicted
from icl.theory.acquisition import t_icl_along_nullcline, t_icl_near_origin
from icl.theory.flow import early_flow
from icl.theory.memorisation import Kinetics, MemorisationRecord
from icl.theory.race import MemorisingMlp, race

FAST_KINETICS = {
    "n_items": [1_000, 1_000_000],
    "time_max": 1e4,
    "n_times": 60,
    "growth_exponent": 2.0,
}
NO_ATTENTION = -30.0  # e^-60 of the rate: the MLP is by itself


@pytest.fixture(scope="module")
def kinetics():
    return predicted("kinetics", **FAST_KINETICS)


@pytest.fixture(scope="module")
def initial_conditions():
    return predicted("initial_conditions", n_beta0=41, n_samples=2000)


def assert_described(data: xr.Dataset):
    for name, variable in data.variables.items():
        assert {"long_name", "units"} <= set(variable.attrs), name
        if variable.dtype.kind == "f":
            assert not np.any(np.isnan(variable)), name


def test_mlp_alone_has_the_stated_integral():
    mlp = MemorisingMlp(300.0, growth_exponent=2.0, logit_spread=0.3)
    time = np.concatenate([[0.0], np.geomspace(1e-3, 1e9, 3000)])
    alone = race(mlp, 20, time, beta0=NO_ATTENTION)
    record = MemorisationRecord(time, alone.c1)
    reached = float(record.integral(time[-1]))
    # d(1 + m)^-1 = -<sigma>dt/tau exactly, so what is missing is the 1/(1 + m) that is left
    mean = -np.log(alone.c3[-1]) + 0.3**2 / 2
    assert reached == pytest.approx(300.0 * (1 - 1 / (1 + mean)), rel=1e-3)
    assert np.all(np.diff(alone.c1) <= 0)


def test_race_before_acquisition_is_the_early_flow_with_the_c1_of_the_mlp():
    n = 2000
    mlp = MemorisingMlp(1e9, logit_spread=0.4)  # hardly learns
    time = np.linspace(0, n, 50)
    both, alone = race(mlp, n, time), early_flow(0.0, 0.0, n, 0.5, 0.48, t_max=float(n))
    np.testing.assert_allclose(both.beta[-1], np.interp(n, alone.time, alone.beta), rtol=0.02)


def test_icl_slows_memorisation_down():
    mlp = MemorisingMlp(1e4)
    time = np.array([0.0, 5e3, 5e4])
    helped, alone = race(mlp, 20, time), race(mlp, 20, time, beta0=NO_ATTENTION)
    assert helped.icl_accuracy[1] > 0.99
    assert helped.c3[-1] > 3 * alone.c3[-1]


def test_more_items_turn_memorisation_into_icl_by_either_mechanism(kinetics):
    for mechanism in (Kinetics.CAPACITY, Kinetics.DIFFERENTIAL):
        final = kinetics.sel(mechanism=str(mechanism)).isel(time=-1)
        assert float(final.icl_accuracy[0]) < 0.55
        assert float(final.iwl_accuracy[0]) > 0.99
        assert float(final.icl_accuracy[1]) > 0.99
        assert float(final.iwl_accuracy[1]) < 0.7
    assert np.isinf(kinetics.i_infinity.sel(mechanism=str(Kinetics.CAPACITY))[1])
    differential = kinetics.i_infinity.sel(mechanism=str(Kinetics.DIFFERENTIAL))
    assert float(differential[0]) < float(kinetics.t_icl) < float(differential[1])
    assert_described(kinetics)


def test_icl_fades_only_where_the_items_can_be_memorised():
    changes = {"n_items": [300_000], "time_max": 3e5, "n_times": 80, "weight_decay": 1e-3}
    data = predicted("kinetics", **{**FAST_KINETICS, **changes}).isel(n_items=0)
    capacity, differential = (data.icl_accuracy.sel(mechanism=str(m)) for m in list(Kinetics)[:2])
    assert capacity.max() > 0.99
    assert capacity[-1] > 0.99
    assert differential.max() > 0.99
    assert differential[-1] < 0.6


def test_landscape_is_flat_near_the_start_and_paths_end_in_icl():
    data = predicted("landscape", n_grid=31, n_times=40)
    near = data.loss.interp(beta=[0.0, 0.5], w=[0.0, 0.5])
    assert float(near.max() - near.min()) < 0.01
    assert float(data.loss.interp(beta=7, w=8)) < 0.01
    assert np.all(np.isfinite(data.acquisition_time))
    assert np.all(data.path_w[:, -1] > 5)
    np.testing.assert_allclose(data.path_beta[:, 0], [s[0] for s in [[0.0], [-1.0], [1.0], [-1.5]]])
    assert_described(data)


def test_on_the_balanced_task_a_start_ends_on_its_side_of_the_separatrix():
    starts = [[0.1, 0.0], [-0.1, 0.0], [1.0, -1.0], [-1.5, 2.5], [0.0, 0.0]]
    data = predicted("landscape", n_grid=31, n_times=40, starts=starts)
    ends = data.balanced_path_w[:, -1]
    assert np.all(ends[[0, 3]] > 3)
    assert np.all(ends[[1, 2]] < -3)
    assert np.all(data.balanced_path_w[4] == 0)  # the saddle itself
    minimum = data.balanced_loss.isel(w=-1, beta=-1)
    assert float(minimum) == pytest.approx(float(data.loss.isel(w=-1, beta=-1)), abs=0.01)


def test_slopes_of_the_claim_exponential_beta0(initial_conditions):
    near, far = initial_conditions.slope.values
    assert -1.05 < near < -0.95
    assert -2.05 < far < -1.95
    assert np.all(initial_conditions.slope_error < 0.01)
    at_zero = float(initial_conditions.local_slope.sel(beta0=0, method="nearest"))
    assert at_zero == pytest.approx(-1.09, abs=0.01)
    assert_described(initial_conditions)


def test_asymptotes_are_the_closed_forms_where_those_hold(initial_conditions):
    data = initial_conditions
    n = data.attrs["context_length"]
    near, far = data.sel(beta0=slice(-0.3, 4)), data.sel(beta0=slice(-6, -3))
    np.testing.assert_allclose(near.t_icl_near_origin, t_icl_near_origin(near.beta0, n))
    np.testing.assert_allclose(far.t_icl_along_nullcline, t_icl_along_nullcline(far.beta0, n))


def test_histogram_is_a_density_with_a_long_tail(initial_conditions):
    data = initial_conditions
    mass = float((data.density * (data.bin_right - data.bin_left)).sum())
    assert mass == pytest.approx(0.995, abs=0.005)
    sample = data.t_icl_sample.values
    assert np.mean(((sample - sample.mean()) / sample.std()) ** 3) > 1
    again = predicted("initial_conditions", n_beta0=41, n_samples=2000)
    xr.testing.assert_identical(data, again)


def test_datasets_survive_netcdf(tmp_path, initial_conditions, kinetics):
    for data in (initial_conditions, kinetics):
        data.to_netcdf(tmp_path / "data.nc", engine="netcdf4")
        with xr.open_dataset(tmp_path / "data.nc", engine="netcdf4") as back:
            assert set(back.variables) == set(data.variables)


def test_out_of_range():
    with pytest.raises(ValueError, match="fewer than 3"):
        predicted("initial_conditions", n_beta0=3)
    with pytest.raises(ValueError, match="memorisable"):
        MemorisingMlp(10.0, memorisable=0.0)
    with pytest.raises(ValueError, match="weight_decay"):
        race(MemorisingMlp(10.0), 10, [0.0, 1.0], weight_decay=-1.0)
    with pytest.raises(ValueError, match="time"):
        race(MemorisingMlp(10.0), 10, [1.0, 2.0])
