"""An independent referee of the study: numpy and netCDF4 alone, nothing of the library.

    python tests/referee/referee.py docs/gallery/study

It reads claims.json and the collected data beside it. For every claim that it finds there it
computes a primary quantity again, by the words of docs/study.md, and the verdict from the interval
and band that claims.json has. It prints where they differ by more than 1e-6.
"""

import json
import math
import sys
from pathlib import Path

import netCDF4
import numpy as np

DIVERGED = 3
TOLERANCE = 1e-6


class Runs:
    """The runs of an experiment that did not diverge, by N, K, settings and seed."""

    SETTINGS = (
        "context_length",
        "n_items",
        "learning_rate",
        "mlp_learning_rate",
        "w_decay",
        "beta_decay",
        "seed",
    )

    def __init__(self, folder, experiment):
        with netCDF4.Dataset(folder / "collected" / f"{experiment}.nc") as file:
            file.set_auto_mask(False)
            self.of = {
                name: np.array(variable[:])
                for name, variable in file.variables.items()
                if variable.dtype is not str
            }
        self.keep(self["stop_reason"] != DIVERGED)
        keys = [self[name] for name in self.SETTINGS if name in self.of]
        self.keep(np.lexsort(keys[::-1]))

    def __getitem__(self, name):
        return self.of[name]

    def keep(self, rows):
        """Keep some runs."""
        self.of = {name: values[rows] for name, values in self.of.items()}
        return self

    def where(self, **wanted):
        """The runs with these coordinates, as runs of their own."""
        chosen = np.ones(len(self["seed"]), dtype=bool)
        for name, value in wanted.items():
            chosen &= np.isclose(self[name], value) if np.isfinite(value) else np.isinf(self[name])
        other = object.__new__(Runs)
        other.of = {name: values[chosen] for name, values in self.of.items()}
        return other

    def last(self, name):
        """The last finite value of each run."""
        return np.array([row[np.isfinite(row)][-1] for row in self[name]])

    def passage(self, level=0.95, name="icl_accuracy"):
        """The place in each run of the first of two evaluations in a row above a level, or None."""
        found = []
        for row in self[name]:
            above = row > level
            both = np.flatnonzero(above[:-1] & above[1:])
            found.append(int(both[0]) if len(both) else None)
        return found

    def t_icl(self):
        """The theory time of that place at 0.95, infinite where there is none."""
        clock = self["theory_time"]
        return np.array(
            [np.inf if i is None else clock[r, i] for r, i in enumerate(self.passage())]
        )


def ranks(values):
    """Ranks from 1, equal values sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def slope(x, y):
    """The least-squares slope of y on x."""
    x = np.asarray(x) - np.mean(x)
    return float(x @ y / (x @ x))


def logistic(n_items, response, floor=0.5, ceiling=(0.9, 1.0)):
    """Midpoint (in log10 K) and width of the best of a grid of logistics, by least squares."""
    values, index, counts = np.unique(n_items, return_inverse=True, return_counts=True)
    x, means = np.log10(values), np.bincount(index, response) / counts
    best = (np.inf, np.nan, np.nan)
    widths = np.geomspace(np.diff(x).min(), 10 * (x[-1] - x[0]), 80)
    for middle in np.linspace(x[0], x[-1], 201):
        curve = 1 / (1 + np.exp(-2 * np.log(9) * (x - middle) / widths[:, None]))  # (80, G)
        height = ((means - floor) * counts) @ curve.T / ((curve**2) @ counts)
        height = np.clip(height, ceiling[0] - floor, ceiling[1] - floor)
        wrong = ((floor + height[:, None] * curve - means) ** 2) @ counts
        place = int(wrong.argmin())
        if wrong[place] < best[0] - 1e-12:
            best = (wrong[place], middle, widths[place])
    return best[1], best[2]


def one_passage(values, level):
    """The first place from which two values in a row are above a level."""
    above = values > level
    return int(np.flatnonzero(above[:-1] & above[1:])[0])


def transition(at):
    """Tied Spearman of last accuracies; the mean last ICL accuracies at the ends of the grid."""
    runs = Runs(at, "transition")
    icl, iwl, k = runs.last("icl_accuracy"), runs.last("iwl_accuracy"), runs["n_items"]
    tied = [ranks(np.round(values / 0.05)) for values in (icl, iwl)]
    return {
        "spearman_tied": np.corrcoef(*tied)[0, 1],
        "last_accuracy": icl[k == k.max()].mean(),
        "first_accuracy": icl[k == k.min()].mean(),
    }


def sharp_transition(at):
    """The width of the logistic, and 2.56 sd(log t_ICL) / (nu ln 10)."""
    runs = Runs(at, "transition")
    length = runs["context_length"][0]
    _, width = logistic(runs["n_items"], runs.last("icl_accuracy"))
    times = Runs(at, "acquisition").where(context_length=length).t_icl()
    spread = np.log(times).std(ddof=1)
    return {
        "width": width,
        "predicted_width": 2 * 1.2815515655446004 * spread / (nu(at) * np.log(10)),
    }


def abrupt_acquisition(at):
    """From the last evaluation before 0.6 to the first above 0.9, over t_ICL; median."""
    runs = Runs(at, "transition")
    left, high, there = runs.passage(0.6), runs.passage(0.9), runs.passage(0.95)
    rises = []
    for r, clock in enumerate(runs["theory_time"]):
        if left[r] is not None:
            begun = clock[max(left[r] - 1, 0)]
            done = there[r] is not None
            rises.append((clock[high[r]] - begun) / clock[there[r]] if done else np.inf)
    rises = np.sort(rises)
    return {"rise": rises[math.ceil(len(rises) / 2) - 1]}


def lasting(runs):
    """The mean last accuracy of those that acquired at the largest decay where half of them did."""
    decay = np.where(runs["w_decay"] <= 1e-9, 0, runs["w_decay"])
    had = np.array([i is not None for i in runs.passage(np.nextafter(0.95, 0))])
    enough = [value for value in np.unique(decay) if value and had[decay == value].mean() >= 0.5]
    return runs.last("icl_accuracy")[(decay == max(enough)) & had].mean()


def transience(at):
    """What is left of ICL at the largest decay at which half of the seeds acquire it."""
    return {"last_accuracy": lasting(Runs(at, "transience"))}


def minimal_model(at):
    """K* over that of equation 12, and what is left of ICL."""
    runs = Runs(at, "minimal_transition")
    middle, _ = logistic(runs["n_items"], runs.last("icl_accuracy"))
    length = runs["context_length"][0]
    t = median_time(Runs(at, "minimal_acquisition").where(context_length=length).t_icl())
    return {
        "threshold": 10**middle,
        "threshold_ratio": 10**middle / predicted(t, [Runs(at, "memorisation_raw")]),
        "last_accuracy": lasting(Runs(at, "minimal_transience")),
    }


def median_time(times):
    """The first time by which half of the runs have acquired: Kaplan and Meier's median."""
    return np.sort(times)[(len(times) - 1) // 2]


def predicted(t_icl, alone):
    """The K at which the mean I_K(inf) equals a time, linear in the logarithms between K."""
    k = np.concatenate([runs["n_items"] for runs in alone])
    total = np.concatenate([runs["i_recorded"] for runs in alone])
    values = np.unique(k)
    means = np.log([total[k == value].mean() for value in values])
    return float(np.exp(np.interp(np.log(t_icl), means, np.log(values))))


def nu(at, experiment="memorisation_wide"):
    """The slope of log I_K(inf) on log K of each seed, averaged."""
    runs = Runs(at, experiment)
    found = []
    for seed in np.unique(runs["seed"]):
        own = runs["seed"] == seed
        found.append(slope(np.log(runs["n_items"][own]), np.log(runs["i_recorded"][own])))
    return float(np.mean(found))


def memorisation_exponent(at):
    """nu."""
    return {"exponent": nu(at)}


def kinetics_not_capacity(at):
    """1/nu; K* at each rate is in `thresholds`."""
    return {"inverse_nu": 1 / nu(at, "memorisation")}


def not_capacity(at):
    """The least over K*, 2 K* and 4 K* of the mean highest accuracy of the MLP alone."""
    runs = Runs(at, "transition")
    middle, _ = logistic(runs["n_items"], runs.last("icl_accuracy"))
    best = {}
    for experiment in ("memorisation_wide", "capacity"):
        alone = Runs(at, experiment)
        highest = np.nanmax(alone["item_accuracy"], axis=1)
        for k in np.unique(alone["n_items"]):
            best[k] = highest[alone["n_items"] == k].mean()
    chosen = [min(k for k in best if k >= multiple * 10**middle) for multiple in (1, 2, 4)]
    return {"accuracy": min(best[k] for k in chosen)}


def variation(values):
    """The coefficient of variation of a log-normal sample."""
    return math.sqrt(math.expm1(np.log(values).var(ddof=1)))


def seed_invariance(at):
    """The largest variation over K of I_K(inf), and of c1 and c2 while mean c1 is 0.05 to 0.4."""
    runs = Runs(at, "memorisation_wide")
    found = {"variation": [], "variation_of_c1": [], "variation_of_c2": []}
    for k in np.unique(runs["n_items"]):
        own = runs.where(n_items=k)
        found["variation"].append(variation(own["i_recorded"]))
        mean = own["c1"].mean(axis=0)
        for place in np.flatnonzero((mean >= 0.05) & (mean <= 0.4)):
            for name in ("c1", "c2"):
                found[f"variation_of_{name}"].append(variation(own[name][:, place]))
    return {name: max(values) for name, values in found.items()}


def threshold_exponent(at):
    """nu; K* at each N is in `thresholds`."""
    return {"nu": nu(at)}


def threshold_constant(at):
    """The least and the greatest over N of log10 of K* predicted over K* measured."""
    alone = [Runs(at, "memorisation_wide"), Runs(at, "capacity")]
    infinite = [Runs(at, "acquisition"), Runs(at, "acquisition_longest")]
    ratios = []
    for length, star in measured_thresholds(at).items():
        times = np.concatenate([runs.where(context_length=length).t_icl() for runs in infinite])
        ratios.append(math.log10(predicted(median_time(times), alone) / star))
    return {"least_log_ratio": min(ratios), "greatest_log_ratio": max(ratios)}


def measured_thresholds(at):
    """K* at each N."""
    stars = {}
    for runs in (Runs(at, "thresholds"), Runs(at, "transition")):
        for length in np.unique(runs["context_length"]):
            own = runs.where(context_length=length)
            stars[int(length)] = 10 ** logistic(own["n_items"], own.last("icl_accuracy"))[0]
    return dict(sorted(stars.items()))


def geometric(experiments, at):
    """N, and t_ICL of the seeds with a run at every N, of the experiments that have been run."""
    times = {}
    for experiment in experiments:
        if not (at / "collected" / f"{experiment}.nc").is_file():
            continue
        runs = Runs(at, experiment)
        for length, seed, t in zip(runs["context_length"], runs["seed"], runs.t_icl(), strict=True):
            times.setdefault(int(seed), {})[int(length)] = t
    lengths = sorted({length for own in times.values() for length in own})
    whole = [[own[n] for n in lengths] for own in times.values() if len(own) == len(lengths)]
    return np.array(lengths), np.array(whole)


def linear_ticl(at):
    """The exponents of the geometric mean of t_ICL."""
    lengths, times = geometric(("acquisition", "acquisition_longest"), at)
    pairs, two = geometric(("two_layer",), at)
    local = math.nan
    if 128 in lengths:
        upper, lower = times[:, lengths == 128][:, 0], times[:, lengths == 64][:, 0]
        local = np.mean(np.log(upper / lower) / np.log(2))
    return {
        "geometric_exponent": np.mean([slope(np.log(lengths), np.log(row)) for row in times]),
        "local_exponent": local,
        "two_layer_geometric_exponent": np.mean([slope(np.log(pairs), np.log(t)) for t in two]),
    }


def long_tail(at):
    """The least over N of the AIC of a normal less a log-normal; log t_ICL on beta0 at N = 64."""
    runs = Runs(at, "acquisition")
    advantages = []
    for length in np.unique(runs["context_length"]):
        t = runs.where(context_length=length).t_icl()
        normal, log_normal = (
            len(x) * math.log(x.var()) + 2 * jacobian
            for x, jacobian in ((t, 0.0), (np.log(t), np.log(t).sum()))
        )
        advantages.append(normal - log_normal)
    own, first = runs.where(context_length=64), Runs(at, "initial_beta")
    beta0 = (first["beta"] * first["item_overlap"])[:, 0]
    of_seed = dict(zip(first["seed"].tolist(), beta0, strict=True))
    x = np.array([of_seed[seed] for seed in own["seed"].tolist()])
    return {"aic_advantage": min(advantages), "beta0_slope": slope(x, np.log(own.t_icl()))}


def bimodality(at):
    """At the K nearest K*: the share between 0.65 and 0.9, and when those that acquire do."""
    runs = Runs(at, "transition")
    finals, k = runs.last("icl_accuracy"), runs["n_items"]
    shares = {value: (finals[k == value] > 0.75).mean() for value in np.unique(k)}
    near = min(shares, key=lambda value: abs(shares[value] - 0.5))
    at_near = finals[k == near]
    alone = Runs(at, "memorisation_wide")
    values, means = np.unique(alone["n_items"]), []
    for value in values:
        own = alone.where(n_items=value)
        means.append(
            np.mean(
                [
                    math.log(clock[one_passage(-c1, -np.nextafter(0.1, 0))])
                    for c1, clock in zip(own["c1"], own["theory_time"], strict=True)
                ]
            )
        )
    done = math.exp(np.interp(math.log(near), np.log(values), means))
    times = runs.where(n_items=near).t_icl()
    return {
        "intermediates": ((at_near >= 0.65) & (at_near <= 0.9)).mean(),
        "lead": math.exp(np.median(np.log(times[np.isfinite(times)]))) / done,
    }


def balanced_failure(at):
    """K* on D' over K* on D; the difference of the shares where D first passes 0.9."""
    both = [Runs(at, name) for name in ("unbalanced", "balanced")]
    acquired = [(runs.last("icl_accuracy") > 0.75).astype(float) for runs in both]
    stars = [
        10 ** logistic(runs["n_items"], share, 0.0, (1.0, 1.0))[0]
        for runs, share in zip(both, acquired, strict=True)
    ]
    shares = [
        {k: share[runs["n_items"] == k].mean() for k in np.unique(runs["n_items"])}
        for runs, share in zip(both, acquired, strict=True)
    ]
    sure = min(k for k, share in shares[0].items() if share >= 0.9)
    return {"threshold_ratio": stars[1] / stars[0], "difference": shares[1][sure] - shares[0][sure]}


def balanced_saddle(at):
    """The share of seeds on the side of the sign of beta0."""
    runs = Runs(at, "minimal_balanced")
    right = (runs.last("icl_accuracy") > 0.75) == (runs["beta"][:, 0] > 0)
    return {"on_predicted_side": right.mean()}


def exponential_beta0(at):
    """The slope of log t_ICL on beta0 in training, within 0.5 of 0."""
    runs = Runs(at, "minimal_beta0")
    runs.keep(np.abs(runs["beta"][:, 0]) < 0.5)
    return {"trained_slope": slope(runs["beta"][:, 0], np.log(runs.t_icl()))}


def loss_relation(at):
    """The slope of the logarithm of the large loss on that of -log(small)/2; medians over runs."""
    runs = Runs(at, "transience")
    slopes = {"acquired": [], "faded": []}
    for r, start in enumerate(runs.passage()):
        if start is None:
            continue
        accuracy = runs["icl_accuracy"][r]
        places = np.arange(len(accuracy))
        low = (accuracy < 0.9) & (places >= start)
        both = np.flatnonzero(low[:-1] & low[1:])
        gone = places >= both[0] if len(both) else np.zeros(len(places), dtype=bool)
        icl, iwl = runs["icl_loss"][r], runs["iwl_loss"][r]
        for name, small, large, part in (
            ("acquired", icl, iwl, (places >= start) & ~gone),
            ("faded", iwl, icl, gone),
        ):
            use = part & (small > 0) & (small < 0.05)
            if use.sum() >= 3 and np.ptp(np.log10(small[use])) >= 2:
                slopes[name].append(slope(np.log(-np.log(small[use]) / 2), np.log(large[use])))
    return {
        f"slope_{name}": np.median(found) if len(found) >= 5 else np.nan
        for name, found in slopes.items()
    }


def pairs(at):
    """Each run of the minimal model with that of its MLP alone on the same targets."""
    whole, alone = Runs(at, "minimal_kinetics"), Runs(at, "minimal_alone")
    rows = {(k, s): r for r, (k, s) in enumerate(zip(alone["n_items"], alone["seed"], strict=True))}
    for r, key in enumerate(zip(whole["n_items"], whole["seed"], strict=True)):
        yield (
            {name: values[r] for name, values in whole.of.items()},
            {name: values[rows[key]] for name, values in alone.of.items()},
        )


def iwl_slowdown(at):
    """Rate of log c3 from t_ICL to twice that, over the rate of the MLP alone at equal c3."""
    ratios = []
    for whole, alone in pairs(at):
        accuracy, clock = whole["icl_accuracy"], whole["theory_time"]
        above = accuracy > 0.95
        both = np.flatnonzero(above[:-1] & above[1:])
        if not len(both) or clock[-1] < 2 * clock[both[0]]:
            continue
        start = int(both[0])
        end = int(np.searchsorted(clock, 2 * clock[start]))
        log_c3 = np.log(whole["c3"])
        rate = (log_c3[start] - log_c3[end]) / (clock[end] - clock[start])
        high, low = max(log_c3[[start, end]]), min(log_c3[[start, end]])
        lowest = np.minimum.accumulate(np.log(alone["c3"]))
        margin = max(0.1 - (high - low), 0) / 2
        high = min(high + margin, lowest[0])
        low = min(low - margin, high - 0.1)
        fall, first = np.unique(-lowest, return_index=True)
        begin, finish = np.interp([-high, -low], fall, alone["theory_time"][first])
        ratios.append(rate * (finish - begin) / (high - low))
    return {"ratio": np.median(ratios)}


def lambert_w(x):
    """W(x) for x > 0, by Newton's method."""
    w = np.log1p(x)
    for _ in range(50):
        w = w - (w * np.exp(w) - x) / (np.exp(w) * (w + 1))
    return w


def lambert_tracking(at):
    """The median relative error of w against W(c3/lambda) until w = 1, greatest over decays."""
    runs = Runs(at, "minimal_lambert")
    errors = {}
    for r, start in enumerate(runs.passage()):
        if start is None:
            continue
        w, c3, decay = runs["w"][r], runs["c3"][r], runs["w_decay"][r]
        gone = np.flatnonzero((w <= 1) & (np.arange(len(w)) > start))
        part = slice(start, gone[0] if len(gone) else len(w))
        if part.stop - part.start >= 8:
            error = np.abs(w[part] / lambert_w(c3[part] / decay) - 1)
            errors.setdefault(decay, []).append(np.median(error))
    return {"greatest_error": max(np.median(found) for found in errors.values())}


def independence(at):
    """The share of runs whose c1 stays within 5 % of the MLP's until accuracy 0.6."""
    close = []
    for whole, alone in pairs(at):
        above = whole["icl_accuracy"] > 0.6
        both = np.flatnonzero(above[:-1] & above[1:])
        if len(both):
            until = slice(0, both[0] + 1)
            log_c1 = np.log(alone["c1"])
            other = np.exp(np.interp(whole["theory_time"], alone["theory_time"], log_c1))
            close.append(np.abs(whole["c1"] / other - 1)[until].max() <= 0.05)
    return {"share_undisturbed": np.mean(close)}


def order_parameters(at):
    """Mean ICL accuracies from acquisition on, with parts in the place of the whole."""
    runs = Runs(at, "order_parameters")
    starts = runs.passage()
    return {
        name: np.mean(
            [np.nanmean(runs[name][r, i:]) for r, i in enumerate(starts) if i is not None]
        )
        for name in ("icl_of_beta", "icl_of_label", "icl_without_beta")
    }


CLAIMS = {
    function.__name__: function
    for function in (
        transition,
        sharp_transition,
        abrupt_acquisition,
        transience,
        minimal_model,
        memorisation_exponent,
        kinetics_not_capacity,
        not_capacity,
        seed_invariance,
        threshold_exponent,
        threshold_constant,
        linear_ticl,
        long_tail,
        bimodality,
        balanced_failure,
        balanced_saddle,
        exponential_beta0,
        loss_relation,
        iwl_slowdown,
        lambert_tracking,
        independence,
        order_parameters,
    )
}
CLAIMS["rate_exponent"] = kinetics_not_capacity


def number(value):
    """A number of claims.json, which writes NaN as null and infinity as a word."""
    return {None: math.nan, "infinity": math.inf, "-infinity": -math.inf}.get(value, value)


def judged(criterion):
    """The verdict of a criterion by its interval, band and kind."""
    low, high = map(number, criterion["interval"])
    least, most = (
        limit if end is None else end
        for end, limit in zip(criterion["band"], (-math.inf, math.inf), strict=True)
    )
    if math.isnan(low) or math.isnan(high) or math.isnan(number(criterion["value"])):
        return "undecided"
    if least <= low and high <= most:
        return "reproduced"
    outside = high < least or low > most
    return "not reproduced" if outside and not criterion["test"] else "undecided"


def of_claim(entry):
    """The verdict of a claim by its criteria and its halves."""
    verdicts = {criterion["verdict"] for criterion in entry["criteria"]}
    if {half["verdict"] for half in entry.get("halves", [])} == {"reproduced", "not reproduced"}:
        return "undecided"
    if "not reproduced" in verdicts:
        return "not reproduced"
    return "reproduced" if verdicts == {"reproduced"} else "undecided"


def differences(folder):
    """Compare all claims with what is computed here: what was compared, and what differs."""
    folder = Path(folder)
    compared, wrong = [], []
    for entry in json.loads((folder / "claims.json").read_text(encoding="utf-8")):
        name = entry["id"]
        for part in (entry, *entry.get("halves", [])):
            for criterion in part["criteria"]:
                if criterion["verdict"] != judged(criterion):
                    wrong.append(f"{name}: {criterion['quantity']} is {judged(criterion)}")
        if entry["verdict"] != of_claim(entry):
            wrong.append(f"{name} is {of_claim(entry)}")
        estimates = entry["details"]["estimates"]
        if name not in CLAIMS or not estimates or "there are no data" in entry["reason"]:
            continue
        for quantity, value in CLAIMS[name](folder).items():
            said = number(estimates[quantity]["value"])
            compared.append((name, quantity))
            if not (math.isnan(said) and math.isnan(value)) and not math.isclose(
                said, value, rel_tol=TOLERANCE, abs_tol=TOLERANCE
            ):
                wrong.append(f"{name}: {quantity} is {value!r}, claims.json says {said!r}")
    return compared, wrong


def main():
    """Print what differs."""
    compared, wrong = differences(sys.argv[1])
    print("\n".join([*wrong, f"{len(compared)} quantities compared, {len(wrong)} differ"]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
