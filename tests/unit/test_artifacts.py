"""Artifacts survive the round trip, and a damaged one is refused by name."""

import errno
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from checkout import ROOT
from example_jobs import DEFAULTS, experiment, job_and_record
from icl.experiment.grid import expand
from icl.job import SETTINGS
from icl.store import artifacts, files


@pytest.fixture
def dataset():
    job, record = job_and_record()
    return artifacts.job_dataset(record, job, {"git_revision": "abc", "git_dirty": 0})


@pytest.fixture
def path(dataset, tmp_path):
    path = tmp_path / "deep/er/job.nc"
    artifacts.write(dataset, path)
    return path


def test_round_trip(dataset, path):
    xr.testing.assert_identical(
        artifacts.read(path).drop_attrs(deep=False), dataset.drop_attrs(deep=False)
    )


def assert_described(dataset):
    for name, variable in dataset.variables.items():
        assert variable.attrs["long_name"], name
        assert variable.dtype.kind in "OUS" or variable.attrs["units"], name


def test_a_plain_reader_sees_names_units_and_identity(path):
    with xr.open_dataset(path) as dataset:
        assert_described(dataset)
        assert dataset.icl_loss.attrs["units"] == "nat"
        assert json.loads(dataset.attrs["job"])["context_length"] == 4
        assert float(dataset.theory_time[-1]) == pytest.approx(10.0)  # rate 0.1 x 100 steps
        meanings = dataset.stop_reason.attrs["flag_meanings"].split()
        assert meanings[int(dataset.stop_reason[1])] == "acquired"


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    with pytest.raises(artifacts.ArtifactError, match=r"job\.nc"):
        artifacts.read(path)


def forge(path, change):
    """Change a file's contents, and make the digest after its end match them."""
    dataset = xr.load_dataset(path)
    change(dataset)
    data = bytes(dataset.to_netcdf(format="NETCDF4"))
    path.write_bytes(data + artifacts._seal(data))


def test_a_changed_value_is_refused(path):
    def change(dataset):
        dataset["icl_loss"][0, 0] += 1e-12

    forge(path, lambda dataset: None)
    artifacts.read(path)
    forge(path, change)
    with pytest.raises(artifacts.ArtifactError, match="do not match"):
        artifacts.read(path)


def test_a_changed_bit_is_noticed_before_the_file_is_opened(path, monkeypatch):
    """HDF5 does not always return from a damaged file."""
    monkeypatch.setattr(xr, "load_dataset", lambda *_, **__: pytest.fail("it was opened"))
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes(data)
    with pytest.raises(artifacts.ArtifactError, match=r"job\.nc: is damaged"):
        artifacts.read(path)


def test_a_file_that_lost_the_digest_after_its_end_is_refused(path):
    data = path.read_bytes()
    path.write_bytes(data[: -artifacts._SEAL_SIZE])
    with pytest.raises(artifacts.ArtifactError, match="lacks the digest after its end"):
        artifacts.read(path)


def test_a_file_of_the_first_format_is_read(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(artifacts, "FORMAT_VERSION", 1)
    monkeypatch.setattr(artifacts, "_seal", lambda data: b"")
    artifacts.write(dataset, tmp_path / "old.nc")
    monkeypatch.undo()
    assert artifacts.read(tmp_path / "old.nc").attrs["artifact_format"] == 1


def test_a_changed_attribute_is_refused(path):
    forge(path, lambda dataset: dataset.attrs.update(git_revision="abd"))
    with pytest.raises(artifacts.ArtifactError, match="do not match"):
        artifacts.read(path)


def test_a_file_without_a_stamp_is_refused(dataset, tmp_path):
    dataset.to_netcdf(tmp_path / "plain.nc")
    with pytest.raises(artifacts.ArtifactError, match="no stamp"):
        artifacts.read(tmp_path / "plain.nc")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(artifacts.ArtifactError, match="no such file"):
        artifacts.read(tmp_path / "none.nc")


def test_a_failed_write_leaves_the_old_file(path, dataset, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(xr.Dataset, "to_netcdf", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        artifacts.write(dataset, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["job.nc"]


def test_the_data_digest_is_of_the_numbers_alone(dataset):
    assert artifacts.data_digest(dataset) == artifacts.data_digest(dataset.assign_attrs(a=1))
    changed = dataset.copy(deep=True)
    changed.icl_loss.values[0, 0] += 1e-12
    assert artifacts.data_digest(dataset) != artifacts.data_digest(changed)


def test_collect_joins_ragged_grids(tmp_path):
    parts = []
    for grid in ((16, 4, 10), ("infinity", 8, 25)):
        job, record = job_and_record(*grid)
        artifacts.write(artifacts.job_dataset(record, job, {"git_dirty": 0}), tmp_path / job.name)
        parts.append(artifacts.read(tmp_path / job.name))
    joined = artifacts.collect(parts, {"experiment": "test"})
    artifacts.write(joined, tmp_path / "all.nc")
    joined = artifacts.read(tmp_path / "all.nc")
    assert joined.n_items.values.tolist() == [16, 16, np.inf, np.inf]
    assert joined.context_length.values.tolist() == [4, 4, 8, 8]
    assert joined.seed.values.tolist() == [0, 1, 0, 1]
    assert joined.step.dims == ("run", "evaluation")
    assert joined.step[2].values[:5].tolist() == [0, 25, 50, 75, 100]
    assert np.isnan(joined.step[2].values[5:]).all()
    np.testing.assert_array_equal(joined.iwl_loss[0], parts[0].iwl_loss[0])
    assert np.isnan(joined.icl_accuracy[1, 3:]).all()
    assert joined.stop_reason.dtype == np.int8
    assert_described(joined)
    assert joined.icl_loss.attrs["units"] == "nat"
    assert joined.stop_reason.attrs["flag_meanings"].startswith("last_step")
    jobs = json.loads(joined.attrs["jobs"])
    assert [entry["n_items"] for entry in jobs] == [16, None]


def test_collected_runs_have_their_settings_as_coordinates(tmp_path):
    grids = (
        {"context_length": 4, "n_items": 16},
        {
            "context_length": 4,
            "n_items": 16,
            "optimiser": {"weight_decay": {"attention": 1e-3}},
            "task": {"context_labels": "balanced", "item_labels": "balanced"},
        },
    )
    parts = []
    for grid in grids:
        job = expand(DEFAULTS, experiment(grid))[0]
        record = job_and_record()[1]
        artifacts.write(artifacts.job_dataset(record, job, {}), tmp_path / job.name)
        parts.append(artifacts.read(tmp_path / job.name))
    artifacts.write(artifacts.collect(parts, {}), tmp_path / "all.nc")
    joined = artifacts.read(tmp_path / "all.nc")
    assert set(SETTINGS) <= set(joined.coords)
    first = expand(DEFAULTS, experiment(grids[0]))[0].optimiser
    assert joined.learning_rate.values.tolist() == [first.learning_rate] * 4
    assert joined.w_decay.values.tolist() == [first.weight_decay.attention] * 2 + [1e-3] * 2
    assert joined.context_labels.values.tolist() == ["random"] * 2 + ["balanced"] * 2
    assert_described(joined)


def test_a_variable_that_one_job_alone_has_is_described():
    (job, record), (other, more) = job_and_record(), job_and_record(64)
    first, second = artifacts.job_dataset(record, job, {}), artifacts.job_dataset(more, other, {})
    beta = second.icl_loss.assign_attrs(long_name="beta", units="1")
    joined = artifacts.collect([first, second.assign(beta=beta)], {})
    assert_described(joined)
    assert np.isnan(joined.beta[:2]).all()


def test_verdicts_carry_the_digest_of_their_contents(tmp_path):
    path = tmp_path / "verdict.json"
    files.write_json({"id": "a_claim", "value": 0.5}, path)
    assert files.read_json(path)["value"] == 0.5
    whole = path.read_text()
    path.write_text(f"[{whole}]")  # the table of them all
    assert files.read_json(path)[0]["value"] == 0.5
    changed = whole.replace("0.5", "0.6")
    for damaged in (changed, f"[{changed}]", whole[:-10], "", "[1]", '{"id": "a_claim"}'):
        path.write_text(damaged)
        with pytest.raises(files.DamagedError, match=r"verdict\.json: .*let its rule make it"):
            files.read_json(path)
    with pytest.raises(files.DamagedError, match="No such file"):
        files.read_json(tmp_path / "none.json")


def test_a_verdict_is_known_again_whatever_json_makes_of_it(tmp_path):
    path = tmp_path / "verdict.json"
    # Numbers are sorted as numbers, and as the strings that JSON makes of them otherwise.
    files.write_json({"by_size": {2: [float("nan")], 10: (1.5, float("inf"))}}, path)
    assert files.read_json(path)["by_size"]["10"] == [1.5, float("inf")]


def test_what_dead_writers_left_is_swept_and_what_others_write_is_not(tmp_path):
    dead = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    host, dead = files._HOST, dead.stdout.strip()
    old = [f".a.nc.{host}-{dead}.part", ".b.nc.elsewhere-1.part", ".c.nc.x7.part"]
    new = [f".d.nc.{host}-{os.getppid()}.part", ".e.nc.elsewhere-1.part", "mine.part"]
    for name in (*old, *new):
        (tmp_path / name).write_text("")
    for name in old[1:]:  # another machine's, or of no known form: by their age
        os.utime(tmp_path / name, (1, 1))
    files.write_text("done", tmp_path / "claims.md")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*new, "claims.md"])


def test_a_refusing_file_system_is_named_with_what_to_do(path, dataset, monkeypatch):
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(files.WriteError, match=r"No space left on device.*job\.nc"):
        artifacts.write(dataset, path)
    assert path.read_bytes() == before


def test_another_job_s_artifact_in_a_job_s_place_is_refused(tmp_path):
    (job, record), (other, others) = job_and_record(), job_and_record(n_items=32)
    named = tmp_path / f"{job.name}.nc"
    artifacts.write(artifacts.job_dataset(record, job, {}), named)
    assert artifacts.read_job(named).attrs["title"].endswith(job.name)
    artifacts.write(artifacts.job_dataset(others, other, {}), named)
    with pytest.raises(artifacts.ArtifactError, match=f"{job.name}.nc: holds the job {other.name}"):
        artifacts.read_job(named)
    artifacts.write(xr.Dataset({"a": ("x", [1.0])}), named)
    with pytest.raises(artifacts.ArtifactError, match="holds the job of none"):
        artifacts.read_job(named)


def test_a_forged_digest_of_the_numbers_is_refused(dataset, tmp_path, monkeypatch):
    """Verdicts and reports quote it: here all else is sealed as it should be."""
    monkeypatch.setattr(artifacts, "data_digest", lambda _: "0" * 64)
    artifacts.write(dataset, tmp_path / "forged.nc")
    monkeypatch.undo()
    path = tmp_path / "forged.nc"
    sealed = path.read_bytes()[: -artifacts._SEAL_SIZE]
    forged = xr.load_dataset(sealed, engine="netcdf4")
    forged.attrs[artifacts.STAMP] = artifacts.content_digest(forged)
    data = bytes(forged.to_netcdf(format="NETCDF4", engine="netcdf4"))
    path.write_bytes(data + artifacts._seal(data))
    with pytest.raises(artifacts.ArtifactError, match="its numbers do not match"):
        artifacts.read(path)


def test_a_link_that_waits_under_the_temporary_name_is_not_followed(tmp_path):
    target = tmp_path / "elsewhere"
    target.write_text("mine")
    part = tmp_path / f".claims.md.{files._HOST}-{os.getpid()}.part"
    part.symlink_to(target)
    files.write_text("done", tmp_path / "claims.md")
    assert target.read_text() == "mine"
    assert (tmp_path / "claims.md").read_text() == "done"
    assert not (tmp_path / "claims.md").is_symlink()


def test_new_folders_are_flushed_up_to_the_first_that_existed(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(files, "_flush", lambda path: flushed.append(os.fspath(path)))
    files.write_text("done", tmp_path / "a/b/c.txt")
    names = [os.path.relpath(path, tmp_path) for path in flushed]
    assert names[:2] == [".", "a"]
    assert names[-1] == "a/b"


def collected(tmp_path, missing=()):
    """Two jobs of an experiment in one file, and their names."""
    jobs, parts = [], []
    for n_items in (16, 32):
        job, record = job_and_record(n_items)
        jobs.append(job.name)
        parts.append(artifacts.job_dataset(record, job, {"git_dirty": 0}))
    held = [part for name, part in zip(jobs, parts, strict=True) if name not in missing]
    attributes = {"experiment": "e", "missing_blocks": json.dumps(list(missing))}
    artifacts.write(artifacts.collect(held, attributes), tmp_path / "e.nc")
    return jobs


def test_collected_data_are_those_of_the_configuration(tmp_path):
    jobs = collected(tmp_path)
    paths = [str(tmp_path / "e.nc")]
    assert artifacts.by_role({"a": "e", "b": "none"}, paths, {"e": jobs}).keys() == {"a"}
    assert artifacts.read_all(paths, {}).keys() == {"e"}  # no experiment of the configuration's
    with pytest.raises(artifacts.ArtifactError, match="hold 1 of 2 jobs that are not"):
        artifacts.read_all(paths, {"e": jobs[:1]})
    with pytest.raises(artifacts.ArtifactError, match="lack 1 of this configuration's 3 jobs"):
        artifacts.read_all(paths, {"e": [*jobs, "another"]})


def test_a_job_in_the_place_of_collected_data_is_refused_by_name(tmp_path):
    job, record = job_and_record(16)
    artifacts.write(artifacts.job_dataset(record, job, {}), tmp_path / "e.nc")
    with pytest.raises(artifacts.ArtifactError, match="e: its file holds no collected data"):
        artifacts.read_all([str(tmp_path / "e.nc")], {"e": [job.name]})


def test_a_missing_block_that_is_named_is_no_lack(tmp_path):
    names = collected(tmp_path)
    jobs = collected(tmp_path, missing=names[1:])
    assert artifacts.read_all([str(tmp_path / "e.nc")], {"e": jobs}).keys() == {"e"}


def test_a_list_of_stamped_mappings_is_read(tmp_path):
    """As claims.json is, whose entries are verdicts."""
    entries = [files.stamped({"id": name, 1: [None]}) for name in "ab"]
    files.write_text(json.dumps(entries), tmp_path / "claims.json")
    assert files.read_json(tmp_path / "claims.json") == entries
    files.write_text(json.dumps([entries[0], {"id": "b"}]), tmp_path / "claims.json")
    with pytest.raises(files.DamagedError, match="do not match"):
        files.read_json(tmp_path / "claims.json")


def test_published_data_are_read_and_have_the_digests_they_had(tmp_path):
    """Written by earlier code: a format or a digest that changed would refuse them."""
    path = ROOT / "docs/gallery/beyond/collected/starts_beta.nc"
    published = artifacts.read(path)
    assert published.attrs["artifact_format"] == artifacts.FORMAT_VERSION
    assert artifacts.data_digest(published) == published.attrs["data_digest"]
    assert artifacts.content_digest(published) == published.attrs[artifacts.STAMP]


def test_foreign_data_are_found_behind_those_of_the_theory(tmp_path):
    """A dataset that is no experiment's is passed over, and those after it are not."""
    names = collected(tmp_path)
    artifacts.write(xr.Dataset({"a": ("x", [1.0])}), tmp_path / "landscape.nc")
    paths = [tmp_path / "landscape.nc", tmp_path / "e.nc"]
    with pytest.raises(artifacts.ArtifactError, match="lack 1 of this configuration's 3 jobs"):
        artifacts.read_all(paths, {"e": [*names, "another"]})


@pytest.mark.parametrize("host", ["0", "zzzz"])
def test_another_machine_s_temporary_file_is_swept_after_a_day(tmp_path, host):
    """Whatever its name: no process of this machine is asked for."""
    old, new = (tmp_path / f".{name}.nc.{host}-{os.getpid()}.part" for name in "ab")
    for path, age in ((old, 24.1), (new, 23.9)):
        path.write_text("")
        os.utime(path, (time.time() - 3600 * age,) * 2)
    files.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [new.name]


def test_a_writer_that_lives_is_asked_and_not_disturbed(tmp_path, monkeypatch):
    with subprocess.Popen(["sleep", "60"]) as writer:
        try:
            part = tmp_path / f".a.nc.{files._HOST}-{writer.pid}.part"
            part.write_text("")
            files.sweep(tmp_path)
            assert part.exists()
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(0.3)
        finally:
            writer.kill()

    def another_user_s(*_):
        raise PermissionError

    monkeypatch.setattr(os, "kill", another_user_s)
    files.sweep(tmp_path)
    assert part.exists()


def test_a_link_put_there_at_the_last_moment_is_not_followed(tmp_path, monkeypatch):
    target = tmp_path / "elsewhere"
    target.write_text("mine")
    part = tmp_path / f".claims.md.{files._HOST}-{os.getpid()}.part"
    monkeypatch.setattr(Path, "unlink", lambda path, **_: part.symlink_to(target))
    with pytest.raises(files.WriteError, match="File exists"):
        files.write_text("done", tmp_path / "claims.md")
    assert target.read_text() == "mine"


def test_a_file_has_the_permissions_that_the_user_gives_and_lines_to_read(tmp_path):
    path = tmp_path / "verdict.json"
    before = os.umask(0o022)
    try:
        files.write_json({"a": 1}, path)
        files.write_text("b", tmp_path / "open")
        os.umask(0)
        files.write_text("b", tmp_path / "open")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o666
    assert path.read_text().startswith('{\n "a": 1,\n')
