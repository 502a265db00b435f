"""netCDF in and out: one file per job, one per experiment, each of which proves itself complete.

Each carries a digest of its contents, which every reader checks: a file that opens but was cut
short, edited or mixed up is refused by name. Behind the end of the netCDF data stands a digest of
its bytes, checked before HDF5 opens them: with one bit of their structure changed, HDF5 may never
return. (Other readers of netCDF do not look past the end.)
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from icl.job import SETTINGS, WORDS, Job, job_name, settings_of
from icl.models.metrics import metrics_of
from icl.record import SUMMARIES, Record, StopReason
from icl.store import files

FORMAT_VERSION = 2  # 1 had no digest after its end
STAMP = files.STAMP
_SEAL = b"\nsha256 of all before: "
_SEAL_SIZE = len(_SEAL) + 64


class ArtifactError(files.DamagedError):
    """A dataset is missing, damaged, incomplete or not what it is taken for."""


def data_digest(dataset: xr.Dataset) -> str:
    """Digest a dataset's numbers: equal for two runs that measured the same, whenever they ran.

    Returns 64 hexadecimal digits, over every variable's name, dimensions and values.
    """
    sha = hashlib.sha256()
    for name in sorted(dataset.variables, key=str):
        variable = dataset.variables[name]
        values = np.ascontiguousarray(variable.values)
        sha.update(f"{name} {list(variable.dims)} {list(values.shape)}\n".encode())
        if values.dtype.kind in "OUS":
            sha.update(json.dumps(values.tolist()).encode())
        else:
            sha.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return sha.hexdigest()


def content_digest(dataset: xr.Dataset) -> str:
    """Digest everything in a dataset but the stamp itself: its numbers and all attributes.

    Returns 64 hexadecimal digits.
    """
    attributes = {
        "": {name: value for name, value in dataset.attrs.items() if name != STAMP},
        **{name: dict(variable.attrs) for name, variable in dataset.variables.items()},
    }
    text = json.dumps(attributes, sort_keys=True, default=_plain)
    return hashlib.sha256((data_digest(dataset) + text).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def write(dataset: xr.Dataset, path: str | os.PathLike) -> None:
    """Write a dataset, stamped with the digest of its contents, all or nothing."""
    stamped = dataset.assign_attrs(artifact_format=FORMAT_VERSION, data_digest=data_digest(dataset))
    stamped.attrs[STAMP] = content_digest(stamped)
    encoding = {
        name: {"zlib": True, "complevel": 4, "_FillValue": None}
        for name, variable in stamped.variables.items()
        if variable.dtype.kind in "fiu"
    }
    # Made in memory: HDF5 on a disk that refuses a write may end the process.
    data = bytes(stamped.to_netcdf(format="NETCDF4", engine="netcdf4", encoding=encoding))
    files.write_bytes(data + _seal(data), path)


def read(path: str | os.PathLike) -> xr.Dataset:
    """Read a dataset into memory and check that it is complete and unchanged.

    Raises:
        ArtifactError: if it is not; the message names the file and what to do.
        OSError: if the file system refuses to read it.
    """
    if not Path(path).is_file():
        raise ArtifactError(f"{path}: there is no such file")
    data = Path(path).read_bytes()
    is_sealed = data[-_SEAL_SIZE:].startswith(_SEAL)
    if is_sealed:
        data, seal = data[:-_SEAL_SIZE], data[-_SEAL_SIZE:]
        if seal != _seal(data):
            raise ArtifactError(
                f"{path}: is damaged: its bytes do not match their digest; {files.REMEDY}"
            )
    try:
        dataset = xr.load_dataset(data, engine="netcdf4")
    except Exception as error:  # the libraries below raise many kinds for a damaged file
        raise ArtifactError(f"{path}: cannot be read ({error}); {files.REMEDY}") from error
    stamp = dataset.attrs.get(STAMP)
    if stamp is None:
        raise ArtifactError(f"{path}: has no stamp of completeness ({STAMP}); {files.REMEDY}")
    if stamp != content_digest(dataset):
        raise ArtifactError(f"{path}: its contents do not match its digest; {files.REMEDY}")
    if dataset.attrs.get("data_digest") != data_digest(dataset):
        raise ArtifactError(f"{path}: its numbers do not match their digest; {files.REMEDY}")
    if not is_sealed and dataset.attrs["artifact_format"] != 1:
        raise ArtifactError(f"{path}: lacks the digest after its end; {files.REMEDY}")
    return dataset


def read_job(path: str | os.PathLike) -> xr.Dataset:
    """Read a job's artifact; refuse one that is damaged, or not of the job that names its file."""
    dataset = read(path)
    held = job_name(json.loads(dataset.attrs["job"])) if "job" in dataset.attrs else "of none"
    if held != Path(path).stem:
        raise ArtifactError(
            f"{path}: holds the job {held}, not the one that it is named by; "
            "delete it, and its own job runs again"
        )
    return dataset


def _seal(data: bytes) -> bytes:
    return _SEAL + hashlib.sha256(data).hexdigest().encode()


def read_all(paths: Iterable[str], jobs: Mapping[str, Iterable[str]]) -> dict[str, xr.Dataset]:
    """Read the datasets that a claim or a figure needs, by the stem of their files.

    Args:
        paths: collected experiments and theory datasets.
        jobs: for each experiment, the names of the jobs that the configuration expands to.

    Raises:
        ArtifactError: if a collected file holds other jobs than the configuration's, or lacks some
            without naming them as missing, as one brought from elsewhere may.
    """
    datasets = {Path(path).stem: read(path) for path in paths}
    for name, dataset in datasets.items():
        if name not in jobs:
            continue
        if "jobs" not in dataset.attrs:
            text = (
                "its file holds no collected data; remove the collected file, and it is made anew"
            )
            raise ArtifactError(f"{name}: {text}")
        held = {job_name(identity) for identity in json.loads(dataset.attrs["jobs"])}
        foreign = sorted(held - set(jobs[name]))
        lacking = sorted(set(jobs[name]) - held - set(json.loads(dataset.attrs["missing_blocks"])))
        fault = ""
        if foreign:
            fault = f"hold {len(foreign)} of {len(held)} jobs that are not this configuration's"
        elif lacking:
            n_jobs = len(set(jobs[name]))
            fault = f"lack {len(lacking)} of this configuration's {n_jobs} jobs"
        if fault:
            raise ArtifactError(
                f"{name}: the collected data {fault}, {(foreign or lacking)[0]} among them; use "
                "the configuration they were made with, or remove the collected file and train"
            )
    return datasets


def by_role(
    roles: Mapping[str, str], paths: Iterable[str], jobs: Mapping[str, Iterable[str]]
) -> dict[str, xr.Dataset]:
    """Read the datasets that play the roles of a claim or a figure, as far as they are there."""
    datasets = read_all(paths, jobs)
    return {role: datasets[name] for role, name in roles.items() if name in datasets}


def job_dataset(record: Record, job: Job, provenance: Mapping[str, Any]) -> xr.Dataset:
    """Arrange a job's record as a self-describing dataset over `seed` and `step`.

    Its attributes are the job's identity and `provenance`: where the numbers come from.
    """
    times = job.optimiser.learning_rate * record.steps
    k_name = "items in the dataset, K (inf: redrawn at every step)"
    coordinates = {
        "seed": _variable("seed", np.asarray(job.seeds), "seed of the replicate"),
        "step": _variable("step", record.steps, "SGD steps done"),
        "theory_time": _variable("step", times, "theory time: learning rate x step"),
        "context_length": _variable((), job.context_length, "context length N"),
        "n_items": _variable((), float(job.n_items), k_name),
    }
    long_names = metrics_of(job)
    variables = {}
    for name, values in record.metrics.items():
        units = "nat" if name.endswith("loss") else "1"
        variables[name] = _variable(("seed", "step"), values, long_names[name], units=units)
    for name, values in record.summaries.items():
        variables[name] = _variable("seed", values, SUMMARIES[name])
    variables["stop_step"] = _variable("seed", record.stop_step, "step of the last evaluation")
    variables["stop_reason"] = _variable(
        "seed",
        record.stop_reason,
        "why the record ends",
        flag_values=np.asarray([reason.value for reason in StopReason], dtype=np.int8),
        flag_meanings=" ".join(reason.name.lower() for reason in StopReason),
    )
    attributes = {
        "title": f"icl-race training job {job.name}",
        "job": json.dumps(job.identity(), sort_keys=True),
        **provenance,
    }
    return xr.Dataset(variables, coordinates, attributes)


def _variable(
    dimensions: str | tuple[str, ...], values: Any, long_name: str, units: str = "1", **more: Any
) -> xr.Variable:
    return xr.Variable(dimensions, values, {"long_name": long_name, "units": units, **more})


def collect(datasets: Iterable[xr.Dataset], attributes: Mapping[str, Any]) -> xr.Dataset:
    """Join jobs of an experiment, at least one, into a dataset over `run` and `evaluation`.

    Grids are ragged (N, K, seeds and schedules differ), so a run has its N, K, seed and each of
    `SETTINGS` as coordinates and evaluations are numbered; `step` is (run, evaluation), NaN past
    a run's own. Every job's identity and provenance are kept in JSON attributes.
    """
    parts, jobs, provenance = [], [], []
    diffs: dict[str, str] = {}
    for dataset in datasets:
        by_run = {"seed": "run", "step": "evaluation"}
        part = dataset.reset_index(["seed", "step"]).reset_coords().rename_dims(by_run)
        n_runs = part.sizes["run"]
        per_run: dict[str, Any] = {"evaluation": np.arange(part.sizes["evaluation"])}
        for name in _SCALAR:
            per_run[name] = part[name].expand_dims(run=n_runs)
        for name in _PER_EVALUATION:
            per_run[name] = part[name].astype(float).expand_dims(run=n_runs)
        identity = json.loads(dataset.attrs["job"])
        for name, value in settings_of(Job.from_identity(identity)).items():
            per_run[name] = ("run", np.full(n_runs, value), _described(name))
        parts.append(part.assign(per_run))
        jobs.append(identity)
        facts = {k: _plain(v) for k, v in dataset.attrs.items() if k not in ("job", "title")}
        if "git_diff" in facts:  # once for all jobs that ran with it
            diffs[facts["git_diff_digest"]] = facts.pop("git_diff")
        provenance.append(facts)
    # A variable's attributes are the same in every job that has it.
    joined = xr.concat(parts, dim="run", join="outer", combine_attrs="override")
    coordinates = [*_SCALAR, *SETTINGS, *_PER_EVALUATION, "seed"]
    joined = joined.set_coords(coordinates).drop_vars("evaluation")
    joined.attrs = {
        **attributes,
        "jobs": json.dumps(jobs, sort_keys=True),
        "provenance": json.dumps(provenance, sort_keys=True),
        **({"git_diffs": json.dumps(diffs, sort_keys=True)} if diffs else {}),
    }
    return joined


def _described(setting: str) -> dict[str, str]:
    """Return the attributes of a setting; one that is a word has no unit."""
    unit = {} if setting in WORDS else {"units": "1"}
    return {"long_name": SETTINGS[setting], **unit}


_SCALAR = ("context_length", "n_items")
_PER_EVALUATION = ("step", "theory_time")
