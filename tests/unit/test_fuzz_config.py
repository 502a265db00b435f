"""Whatever is written into a configuration, it is valid or refused by name, never a traceback."""

import copy
import re

import pytest
from committed import SMOKE
from committed import SMOKE_FILES as FILES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icl.experiment.cost import cost
from icl.experiment.validation import Sources, check, load_yaml
from icl.job import ConfigError

SOURCES = Sources(FILES)


def keys_of(data, key=()):
    """List the key of everything in a configuration."""
    if key:
        yield key
    if isinstance(data, dict | list):
        for part, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from keys_of(value, (*key, part))


def at(data, key):
    for part in key:
        data = data[part]
    return data


ODD_VALUES = [
    *(None, True, False, "", "text", "yes", "1e-3", "infinity", "ünïcode", "\0", "smoke\n", "../x"),
    *("$(id)", "a b", [], {}, [1], [None], [[[]]], {"a": 1}, [1] * 10, b"x", {1, 2}),
    *(3.5, -1, 0, -0.0, 1e308, 5e-324, 1e15, 2**31, 2**64, 10**400, 2**30000),
    *(float("nan"), float("inf"), -float("inf")),
]
ANY_VALUE = st.one_of(
    st.sampled_from(ODD_VALUES),
    st.text(max_size=5),
    st.integers(),
    st.floats(),
    st.sampled_from(list(keys_of(SMOKE))).map(lambda key: copy.deepcopy(at(SMOKE, key))),
)


@st.composite
def mutated(draw):
    """One change somewhere in the smoke size: what was changed, and the whole."""
    config = copy.deepcopy(SMOKE)
    key = draw(st.sampled_from(list(keys_of(SMOKE))))
    holder, last = at(config, key[:-1]), key[-1]
    kind = draw(st.sampled_from(["value", "missing", "extra", "typo", "scaled", "twice"]))
    if kind == "missing":
        del holder[last]
    elif kind == "extra" and isinstance(holder[last], dict):
        holder[last][draw(st.text(max_size=8))] = draw(ANY_VALUE)
    elif kind == "typo" and isinstance(last, str):
        holder[last[:-1] + draw(st.sampled_from(["x", "é", " ", "\n", "/"]))] = holder.pop(last)
        key = (*key[:-1], last[:-1])
    elif kind == "scaled" and type(holder[last]) in (int, float):
        holder[last] *= draw(st.sampled_from([-1, 0, 1e-9, 1e9, 10**9, 10**18]))
    elif kind == "twice":
        holder[last] = [holder[last], copy.deepcopy(holder[last])]
    else:
        holder[last] = draw(ANY_VALUE)
    return key, config


@settings(
    max_examples=600,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(mutated())
def test_a_changed_configuration_is_valid_or_refused_by_name(mutation):
    key, config = mutation
    try:
        jobs = check(config, SOURCES)
    except ConfigError as error:
        lines = str(error).split("\n")
        assert all(re.match(r"[^:]+: .+: .+", line) for line in lines), lines
        # By its own name, or as part of what it makes wrong: no steps, and no time to evaluate.
        names = [part for part in key if isinstance(part, str)]
        assert any(name in line for line in lines for name in names[1:] or names), (key, lines)
        return
    for listed in jobs.values():
        for job in listed:
            assert re.fullmatch(r"N\d+_K(\d+|inf)_seeds\d+-\d+_[0-9a-f]{12}", job.name)
            assert cost(job).memory_mb < 64_000


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &a {b: *a}", "holds itself"),
        (LAUGHS, "aliases written out"),
        ("a: " + "[" * 2000 + "]" * 2000, "not valid YAML|levels deep"),
        ("a: " + "[" * 60 + "]" * 60, "levels deep"),
        ("a: " + "9" * 5000, "not of its type"),
        ("a: 2001-99-99", "not of its type"),
        ("a: !!int abc", "not of its type"),
        ("a: !!int ''", "not of its type"),
        ("a: !!float x", "not of its type"),
        ("a: !!bool maybe", "not of its type"),
        ("a: !!python/object/apply:os.system [id]", "constructor"),
        ("a: !mine x", "constructor"),
        ("a: !!binary é", "not valid YAML"),
        ("a: *x", "alias"),
        ("<<: 3", "not valid YAML"),
        ("a: 1\na: 2", "given twice"),
        ("a: {b: 1, b: 2}", "given twice"),
        ("yes: 1", "yes is a truth value to YAML"),
        ("on: 1", "on is a truth value to YAML"),
        ("No: 1", "No is a truth value to YAML"),
        ("~: 1", "None is not a string"),
        ("1: 1", "1 is not a string"),
        ("? [a, b]\n: 1", "is not a string"),
        ("? {a: 1}\n: 1", "is not a string"),
        ("a: {", "not valid YAML"),
        ("a:\n\t- 1", "not valid YAML"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("a: \0", "not valid YAML"),
        ("a: é".encode("latin-1"), "not valid YAML"),
        ("a: 1".encode("utf-16"), "not valid YAML"),
        ("", "must be a mapping"),
        ("# nothing", "must be a mapping"),
        ("- a", "must be a mapping"),
        ("a", "must be a mapping"),
        ("!!set {a, b}", "must be a mapping"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_not_plain_yaml_is_refused_with_its_file(tmp_path, text, expected):
    path = tmp_path / "my.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}: .*({expected})"):
        load_yaml(path)


def test_a_boolean_is_refused_where_none_belongs(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("name: true\n")
    config = {**SMOKE, **load_yaml(path)}
    with pytest.raises(ConfigError, match=r"my\.yaml: name: True is not allowed"):
        check(config, Sources([*FILES, path]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seeds": {"first": 0, "count": 100_000}, "block_size": 1}, "too many jobs; allowed: at"),
        ({"steps": 4_000_000_000, "evaluation": {"every": 1}}, "has at most 100000 evaluations"),
        ({"steps": 2**30000}, "a number of thousands of digits is not allowed"),
    ],
    ids=["jobs", "evaluations", "digits"],
)
def test_what_would_never_end_is_refused(change, expected):
    config = copy.deepcopy(SMOKE)
    config["experiments"]["transition"].update(change)
    with pytest.raises(ConfigError, match=expected):
        check(config, SOURCES)


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("beta0_range", [4.0, -6.0], "the lower value first"),
        ("near_origin_fit", [4.0, 1.0], "the lower value first"),
        ("nullcline_fit", [-80.0, -70.0], "three or more of the"),
        ("near_origin_fit", [1.0, 1.01], "three or more of the"),
    ],
)
def test_theory_that_could_not_be_evaluated_is_refused(setting, value, expected):
    config = copy.deepcopy(SMOKE)
    config["theory"]["initial_conditions"][setting] = value
    with pytest.raises(ConfigError, match=rf"initial_conditions\.{setting}: .*{expected}"):
        check(config, SOURCES)
