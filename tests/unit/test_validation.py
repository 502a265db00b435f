"""Every bad value is refused with the file, the key, the value and what is allowed."""

import copy
import re
from pathlib import Path

import pytest
from checkout import ROOT
from committed import LAPTOP_FILES as FILES
from icl.experiment.grid import merge
from icl.experiment.validation import Sources, check, load_yaml
from icl.experiment.yaml_files import plain, refuse_unreadable
from icl.job import ConfigError


@pytest.fixture(scope="module")
def sources():
    return Sources(FILES)


@pytest.fixture
def good():
    return Sources(FILES).merged()


def refused(config, sources):
    with pytest.raises(ConfigError) as caught:
        check(config, sources)
    return str(caught.value)


def put(config, key, value):
    *parents, last = key
    for part in parents:
        config = config[part]
    config[last] = value


@pytest.mark.parametrize("preset", ["demo", "smoke", "laptop", "extended", "paper"])
def test_the_committed_presets_are_valid(preset):
    sources = Sources.of_size([ROOT / f"config/{preset}.yaml"])
    jobs = check(sources.merged(), sources)
    assert {"transition", "transience"} <= set(jobs)
    assert all(len({job.name for job in listed}) == len(listed) for listed in jobs.values())


GRID = ("experiments", "transition", "grid", 0)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            ("defaults", "optimiser", "learning_rate"),
            -0.1,
            "-0.1 is not allowed; allowed: a number",
        ),
        (("defaults", "optimiser", "learning_rate"), float("nan"), "nan is not allowed"),
        (("defaults", "optimiser", "learning_rate"), float("inf"), "inf is not allowed"),
        (("defaults", "optimiser", "learning_rate"), True, "True is not allowed"),
        (("defaults", "optimiser", "learning_rate"), "1e-3", "write 1.0e-3"),
        (("defaults", "optimiser", "weight_decay", "mlp"), -1, "a number from 0"),
        (("defaults", "optimiser", "weight_decay", "mpl"), 0, "did you mean mlp?"),
        (("defaults", "model", "attend_to"), "contxt", "context or context_and_self"),
        (("defaults", "model", "name"), "two", "one_layer"),
        (("defaults", "model"), None, "None is not allowed"),
        ((*GRID, "n_items"), [1000, 1], "1 is not allowed; allowed: K: an integer from 2"),
        ((*GRID, "n_items"), "inf", "'inf' is not allowed"),
        ((*GRID, "n_items"), [], "allowed: K"),
        ((*GRID, "n_items"), {"from": 9, "to": 5, "count": 2, "spacing": "linear"}, "above from"),
        ((*GRID, "context_length"), 0, "N, an integer from 1"),
        ((*GRID, "contextlength"), 3, "did you mean context_length?"),
        (("experiments", "../x"), {"description": "", "grid": []}, "this name is not allowed"),
        (("experiments", "$(touch x)"), {"description": "", "grid": []}, "name is not allowed"),
        (("preset",), "../../x", "small letters"),
        (("name",), "a b", "small letters"),
        (("name",), "paper", "no file of config/"),
        (("experiments", "transition", "steps"), 4000.0, "4000.0 is not allowed"),
        (("claims", "linear_ticl", "criteria", 0, "band"), [1.3, 0.8], "lowest value first"),
        (
            ("figures", "fig99"),
            {"title": "t", "experiments": {"a": "transition"}, "claims": []},
            "no",
        ),
        (("device",), "gpu", "auto, cpu or cuda"),
        (("devise",), "cpu", "did you mean device?"),
        (("defaults", "evaluation", "every"), 10**9, "at most the run's steps"),
        (("defaults", "stop", "when"), "always", "never, acquired, memorised or decided"),
        (("theory", "landscape", "n_grid"), 0, "an integer from 10"),
        (("theory", "landscapes"), {}, "did you mean landscape?"),
        (("claims", "linear_ticl", "experiments", "acquisition"), "x", "no such experiment: x"),
        (
            ("claims", "linear_ticl", "experiments", "acquisition"),
            "landscape",
            "landscape is a theory dataset, which cannot play the role acquisition",
        ),
        (
            ("figures", "fig4", "experiments", "landscape"),
            "transition",
            "transition is an experiment, which cannot play the role landscape",
        ),
        (
            ("claims", "linear_ticl", "experiments", "acquisition"),
            0,
            "0 is not allowed; allowed: text",
        ),
    ],
)
def test_a_bad_value_is_named(good, sources, key, value, expected):
    bad = copy.deepcopy(good)
    put(bad, key, value)
    message = refused(bad, sources)
    assert expected in message
    assert str(key[-1]) in message


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            (*GRID, "n_items"),
            {"from": 5, "to": 9, "count": 2, "spacing": "cubic"},
            "experiments.transition.grid[0].n_items.spacing: 'cubic' is not "
            "allowed; allowed: linear or logarithmic",
        ),
        (
            ("theory", "landscape", "beta_range", 0),
            "x",
            "theory.landscape.beta_range[0]: 'x' is not allowed; allowed: a number from -80 to 80",
        ),
        (
            ("claims", "linear_ticl", "criteria", 0, "band", 1),
            float("inf"),
            "claims.linear_ticl.criteria[0].band[1]: inf is not allowed; allowed: a finite number",
        ),
        (
            ("claims", "linear_ticl", "statistic"),
            "linear",
            "claims.linear_ticl.statistic: 'linear' is not allowed; allowed: ",
        ),
        (
            ("claims", "not_capacity", "criteria", 1, "quantity"),
            "gian",
            "claims.not_capacity.criteria[1].quantity: 'gian' is not allowed; "
            "allowed: accuracy, gain",
        ),
        (
            ("claims", "not_capacity", "options", "resamples"),
            1000,
            "claims.not_capacity.options.resamples: unknown key; allowed: ",
        ),
    ],
)
def test_a_message_names_key_value_and_what_is_allowed(good, sources, key, value, line):
    bad = copy.deepcopy(good)
    put(bad, key, value)
    message = refused(bad, sources)
    assert message.startswith(f"--config: {line}")  # for no file says so
    assert len(message.splitlines()) == 1


def test_faults_come_in_the_order_of_their_keys(good, sources):
    good["theory"]["landscape"]["n_grid"] = 0
    good["defaults"]["optimiser"]["batch_size"] = 0
    good["defaults"]["model"]["item_dim"] = 0
    keys = [line.split(": ")[1] for line in refused(good, sources).splitlines()]
    assert keys == sorted(keys)
    assert len(keys) == 3


@pytest.mark.parametrize("kind", ["experiments", "claims", "figures"])
def test_a_name_misspelt_in_an_overlay_is_guessed(good, sources, kind):
    name = next(name for name in good[kind] if len(name) > 3)
    good[kind][f"{name}s"] = {"docs": []}
    assert f"{kind}.{name}s: is new and has no " in (message := refused(good, sources))
    assert f"did you mean {name}?" in message


def test_what_is_no_mapping_has_no_misspelt_names(good, sources):
    good["figures"] = ["fig2"]
    assert "figures: ['fig2'] is not allowed" in refused(good, sources)


def test_a_mapping_that_is_missing_is_one_fault(good, sources):
    del good["defaults"]["optimiser"]
    for experiment in good["experiments"].values():
        experiment.pop("optimiser", None)
        for entry in experiment["grid"]:
            entry.pop("optimiser", None)
    assert refused(good, sources).endswith("optimiser: is missing; allowed: a mapping")


@pytest.mark.parametrize(
    "missing",
    [
        ("defaults", "model", "hidden_dim"),
        ("defaults", "optimiser", "batch_size"),
        ("defaults", "evaluation", "sequences", "icl"),
        ("experiments", "transition", "grid"),
        ("experiments", "transition", "seeds"),
        ("experiments", "transition", "grid", 0, "n_items"),
        ("preset",),
    ],
)
def test_a_missing_key_is_named(good, sources, missing):
    bad = copy.deepcopy(good)
    *parents, last = missing
    part = bad
    for key in parents:
        part = part[key]
    del part[last]
    message = refused(bad, sources)
    assert str(last) in message
    assert "is missing" in message


def test_a_run_that_is_listed_twice_is_refused(good, sources):
    good["experiments"]["transition"]["grid"][0]["n_items"] = [50, 50]
    seed = good["experiments"]["transition"]["seeds"]["first"]
    told = f"transition.grid: N = 64, K = 50, seed {seed} is listed 2 times"
    assert told in refused(good, sources)


def test_an_infinite_k_is_written_as_in_yaml(good, sources):
    grid = good["experiments"]["acquisition"]["grid"]
    grid.append(dict(grid[0]))
    assert "K = infinity, seed" in refused(good, sources)
    del grid[-1]
    good["memory_limit_mb"] = 1
    good["experiments"] = {"acquisition": good["experiments"]["acquisition"]}
    assert "K = infinity would need about" in refused(good, sources)


def test_entries_may_differ_in_what_is_trained_but_not_in_how_long_it_is_watched(good, sources):
    entry = good["experiments"]["transition"]["grid"][0]
    decayed = {"optimiser": {"weight_decay": {"attention": 1e-3}}}
    good["experiments"]["transition"]["grid"] = [entry, {**entry, **decayed}]
    jobs = check(good, sources)["transition"]
    assert len({job.name for job in jobs}) == len(jobs)
    good["experiments"]["transition"]["grid"] = [entry, {**entry, "steps": 50}]
    assert "is listed 2 times" in refused(good, sources)


def test_a_stop_rule_needs_its_thresholds(good, sources):
    good["defaults"]["stop"] = {"when": "decided", "icl_accuracy": 0.95, "confirmations": 2}
    assert "stop.iwl_accuracy: is missing" in refused(good, sources)


def test_a_geometric_schedule_needs_its_density(good, sources):
    good["defaults"]["evaluation"]["schedule"] = "geometric"
    assert "evaluation.per_decade: is missing" in refused(good, sources)


def test_the_file_that_holds_the_fault_is_named(good, tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("defaults: {optimiser: {learning_rate: -1}}\n")
    good["defaults"]["optimiser"]["learning_rate"] = -1
    message = refused(good, Sources([*FILES, overlay]))
    assert message.startswith(f"{overlay}: defaults.optimiser.learning_rate: -1")


def test_a_key_that_no_file_holds_is_the_command_lines(good, sources):
    good["device"] = "gpu"
    assert refused(good, sources).startswith("--config: device: 'gpu'")


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        (
            "experiments: {transition: {grid: [{context_length: 8}]}}",
            "mine.yaml: experiments.transition.grid[0].n_items: is missing",
        ),
        (
            "defaults: {evaluation: {every: 100000}}\nexperiments: {bimodality: {steps: 10}}",
            "mine.yaml: defaults.evaluation.every: 100000 is not allowed",
        ),
        (
            "experiments: {acquisition: {stop: {confirmations: 0}}}",
            "mine.yaml: experiments.acquisition.stop.confirmations: 0 is not allowed",
        ),
    ],
)
def test_the_layer_that_wrote_the_value_is_named(good, tmp_path, monkeypatch, overlay, expected):
    monkeypatch.chdir(tmp_path)
    path = Path("mine.yaml")
    path.write_text(overlay)
    message = refused(merge(good, load_yaml(path)), Sources([*FILES, path]))
    assert message.startswith(expected)


def test_the_command_line_that_overrides_a_file_is_named(good, sources):
    good["preset"] = "../x"
    assert refused(good, sources).startswith("--config: preset: '../x'")


def test_two_presets_are_refused(good):
    two = Sources([*FILES, ROOT / "config/smoke.yaml"])
    assert "a preset replaces another whole" in refused(good, two)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\n", "given twice"),
        ("- a\n", "must be a mapping"),
        ("", "must be a mapping"),
        ("a: [1\n", "not valid YAML"),
        ("1: a\n", "is not a string"),
        ("on: a\n", "on is a truth value to YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_what_yaml_lets_pass_is_refused(tmp_path, text, expected):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected) as caught:
        load_yaml(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_yaml(tmp_path / "none.yaml")


def test_claims_keep_the_order_of_their_file(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text("claims: {b: {}, a: {}, c: {}}")
    merged = {"new": 1, "c": 2, "a": 3, "b": 4}  # c is one that a preset changes
    assert list(Sources([path]).in_order(merged).items()) == [
        ("b", 4),
        ("a", 3),
        ("c", 2),
        ("new", 1),
    ]


def test_an_overlay_before_its_preset_is_refused(tmp_path):
    preset, overlay = tmp_path / "laptop.yaml", tmp_path / "my.yaml"
    preset.write_text("preset: laptop")
    overlay.write_text("name: mine")
    Sources([preset, overlay]).refuse_overlay_before_preset()
    Sources([]).refuse_overlay_before_preset()
    with pytest.raises(ConfigError, match=r"my\.yaml: stands before the preset"):
        Sources([overlay, preset]).refuse_overlay_before_preset()


BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 26)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 10000 keys once '<<' is written out"),
        ("a: " + "[" * 100_000, "nested more than 50 levels deep"),
        ("a: {<<: {b: 1}, <<: {c: 2}}", "'<<' is given twice"),
        ("seeds: {count: 010}", "010 is another number to YAML"),
        ("steps: 1:30", "1:30 is another number to YAML"),
        ("steps: 1:30.5", "1:30.5 is another number to YAML"),
        ("halves: yes", "yes is a truth value to YAML: write true or false"),
    ],
    ids=["merge bomb", "deep", "merged twice", "octal", "sexagesimal", "sexagesimal float", "yes"],
)
def test_yaml_that_crashes_hangs_or_reads_otherwise_than_it_looks_is_refused(
    tmp_path, text, message
):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_yaml(path)


def test_numbers_as_people_write_them_are_read(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("{a: 10, b: 1.0e-3, c: -5, d: 0, e: .05, f: 1_000}")
    assert list(load_yaml(path).values()) == [10, 1e-3, -5, 0, 0.05, 1000]


@pytest.mark.parametrize("given", [["--configfile=FILE"], ["--configfile", "FILE"]])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: \xff", "is not valid YAML"),
        (None, "there is no such file"),
        (b"claims_file: 5", "claims_file: 5 is not allowed; allowed: a file in config/"),
        (b"claims_file: /etc/passwd", "claims_file: '/etc/passwd' is not allowed"),
    ],
)
def test_files_are_refused_however_the_option_is_written(tmp_path, given, content, message):
    path = tmp_path / "my.yaml"
    if content is not None:
        path.write_bytes(content)
    words = [word.replace("FILE", str(path)) for word in given]
    with pytest.raises(SystemExit, match=re.escape(message)):
        refuse_unreadable(words)


def test_not_a_number_is_blamed_on_the_file_that_has_it(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("preset: laptop\ndefaults: {optimiser: {learning_rate: .nan}}")
    found = Sources([path])
    key = ("defaults", "optimiser", "learning_rate")
    assert found.locate(key, load_yaml(path)) == str(path)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"transitoin": ["end"]}, "no such experiment: transitoin; did you mean transition?"),
        (
            {"transition": [600, 4000000000]},
            "transition[1]: 4000000000 is not allowed; allowed: at most",
        ),
        ({"transition": ["last"]}, "'last' is not allowed; allowed: a step, 0 or more, or end"),
        ({"transition": [-1]}, "-1 is not allowed; allowed: a step, 0 or more, or end"),
        ({"transition": []}, "weights.transition: [] is not allowed"),
        ({"transition": [5, 5]}, "weights.transition: [5, 5] is not allowed"),
    ],
)
def test_weights_that_cannot_be_kept_are_refused(good, sources, weights, expected):
    assert expected in refused({**good, "weights": weights}, sources)


def test_weights_change_no_name(good, sources):
    with_weights = {**good, "weights": {"transition": [0, 600, "end"]}}
    assert check(with_weights, sources) == check(good, sources)


def test_no_word_of_a_command_is_read_that_is_no_configuration(tmp_path, monkeypatch):
    """A target or an option that ends as a file of YAML does, where there is no such file."""
    monkeypatch.chdir(tmp_path)
    refuse_unreadable(["all", "none.yaml", "--cores", "2"])
    Path("text").write_text("[")
    refuse_unreadable(["text"])
    Path("broken.yaml").write_text("[")
    with pytest.raises(SystemExit, match="not valid YAML"):
        refuse_unreadable(["broken.yaml"])


@pytest.mark.parametrize(("word", "hint"), [("claim_long_tail", True), ("mine.yaml", False)])
def test_a_target_after_the_files_is_told_from_a_missing_file(word, hint):
    with pytest.raises(SystemExit, match="there is no such file") as caught:
        refuse_unreadable(["--configfile", word])
    assert ("give a target before it" in str(caught.value)) == hint


def test_without_a_file_the_size_is_the_laptops(tmp_path):
    assert Sources.of_size([]).paths[-1].name == "laptop.yaml"
    assert Sources.of_size([], {"preset": "own"}).paths[-1].name == "claims.yaml"


def test_files_without_a_preset_are_not_two_presets(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("name: mine")
    Sources([path]).refuse_two_presets()


def test_what_is_no_number_in_one_place_alone_is_another_value(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("preset: laptop\ndefaults: {optimiser: {learning_rate: 1.0}}")
    config = {"preset": "laptop", "defaults": {"optimiser": {"learning_rate": float("nan")}}}
    key = ("defaults", "optimiser", "learning_rate")
    assert Sources([path]).locate(key, config) == "--config"


@pytest.mark.parametrize("name", ["a ", " a", "", "a\nb", "a\u202eb"])
def test_a_name_that_would_not_be_seen_is_quoted(name):
    assert plain(name) == repr(name)
    assert plain("a b") == "a b"


# The roles whose runs no rule may end, for it would make what their statistics look for.
ENDLESS = ("transition", "transience", "half_rate", "mlp_rates", "loss", "bimodality")
ENDLESS += ("minimal_balanced", "near_threshold", "minimal_transience")


@pytest.mark.parametrize("preset", ["demo", "study", "laptop", "extended", "paper", "beyond"])
def test_a_presets_stop_rules_leave_its_claims_what_they_look_for(preset):
    sources = Sources.of_size([ROOT / f"config/{preset}.yaml"])
    config = sources.merged()
    jobs = check(config, sources)
    for claim in config["claims"].values():
        for role, name in claim["experiments"].items():
            if role in ENDLESS:
                assert {job.stop.when for job in jobs.get(name, ())} <= {"never"}, name
        if claim["statistic"] == "not_capacity":
            asked = claim["options"]
            roles = ("memorisation", "capacity")
            ends = {job.stop.c1 for role in roles for job in jobs[claim["experiments"][role]]}
            # c1 falls as 1/t: a record must last so many times the time to the c1 that is asked.
            late = [c1 for c1 in ends if c1 and c1 * asked["lasting"] > asked["c1"] / 1.5]
            assert not late, f"{late} ends records before not_capacity can judge them"
