"""Checkpoints: resumed to the same bits, refused by name when damaged or another's."""

import hashlib
import io
import json
import logging
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from example_jobs import EVERY, JOB, alone, with_order_parameters
from icl.engine import checkpoint, training
from icl.engine.checkpoint import Checkpoints, Interrupted, decode, encode
from icl.job import Held, Hold, Stop
from icl.store import artifacts, provenance

# Two of three replicates leave before the end, one after another.
STOPPING = replace(
    JOB,
    seeds=(3, 4, 5),
    steps=100,
    evaluation=replace(JOB.evaluation, every=10),
    stop=Stop("acquired", 0.7, None, 2),
)


class Killed(BaseException):
    """A stand-in for what cannot be caught."""


class Interrupting(Checkpoints):
    """Saves at every step, and dies after a given one."""

    def __init__(self, folder, job, last=None):
        super().__init__(folder, job, minutes=0)
        self.last = last

    def after_step(self, step, state):
        super().after_step(step, state)
        if step == self.last:
            raise Killed


def digest(record, job):
    return artifacts.data_digest(artifacts.job_dataset(record, job, {}))


def interrupted_at(folder, job, steps):
    """Train, die after each of the steps, and go on to the end."""
    for step in steps:
        with pytest.raises(Killed):
            training.train(job, checkpoints=Interrupting(folder, job, step))
    return training.train(job, checkpoints=Checkpoints(folder, job))


CASES = {
    **EVERY,
    "order-parameters": with_order_parameters(JOB),
    "stopping": STOPPING,
    "adam": replace(JOB, optimiser=replace(JOB.optimiser, method="adam")),
    "adam-stopping": replace(STOPPING, optimiser=replace(STOPPING.optimiser, method="adam")),
    "held": replace(JOB, optimiser=replace(JOB.optimiser, hold=Hold(mlp=Held(30)))),
    "clamped": replace(
        EVERY["minimal"],
        optimiser=replace(
            EVERY["minimal"].optimiser,
            hold=Hold(beta=Held(10, 2.0), w=Held(1), mlp=Held(18)),
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_resumed_any_number_of_times_to_the_same_bits(name, tmp_path):
    job = alone(CASES[name]) if name.startswith("mlp") else CASES[name]
    job = replace(job, steps=min(job.steps, 60))
    expected = training.train(job)
    at = job.evaluation.at(job.steps)
    last = int(expected.stop_step.max())
    steps = sorted({1, at[1], at[1] + 1, last // 2, last - 1, last} & set(range(1, last + 1)))
    assert len(steps) > 3
    assert digest(interrupted_at(tmp_path, job, steps), job) == digest(expected, job)


def test_replicates_that_left_stay_away(tmp_path):
    expected = training.train(STOPPING)
    stops = sorted(set(expected.stop_step.tolist()))
    assert len(stops) > 1, "the job should lose its replicates one after another"
    record = interrupted_at(tmp_path, STOPPING, [stops[0], stops[0] + 1, stops[1]])
    assert digest(record, STOPPING) == digest(expected, STOPPING)


def test_a_finished_job_trains_no_more(tmp_path, monkeypatch):
    expected = training.train(JOB, checkpoints=Checkpoints(tmp_path, JOB))
    (final,) = tmp_path.iterdir()
    state, _ = decode(final.read_bytes())
    assert all(len(v) == 0 for name, v in state.items() if name.startswith("parameter"))
    monkeypatch.setattr(training.Run, "step", lambda run: pytest.fail("a step was redone"))
    again = Checkpoints(tmp_path, JOB)
    assert digest(training.train(JOB, checkpoints=again), JOB) == digest(expected, JOB)
    assert [attempt["from_step"] for attempt in again.attempts] == [0, 400]


def test_two_generations_are_kept(tmp_path):
    with pytest.raises(Killed):
        training.train(JOB, checkpoints=Interrupting(tmp_path, JOB, 17))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "000000000016.checkpoint",
        "000000000017.checkpoint",
    ]


@pytest.fixture
def interrupted(tmp_path):
    """The folder of JOB, killed after step 60: it holds the checkpoints of steps 59 and 60."""
    with pytest.raises(Killed):
        training.train(JOB, checkpoints=Interrupting(tmp_path, JOB, 60))
    return tmp_path


def newest(folder):
    return max(folder.glob("*.checkpoint"))


def foreign(data):
    """The same state under another job's identity."""
    state, header = decode(data)
    return encode(state, {**header, "job": replace(JOB, steps=500).identity()})


def older_numerics(data):
    state, header = decode(data)
    return encode(state, {**header, "job": {**header["job"], "numerics": 0}})


def newer_numerics(data):
    state, header = decode(data)
    return encode(state, {**header, "job": {**header["job"], "numerics": 10**6}})


def of_other_code(data):
    state, header = decode(data)
    return encode({**state, "metric new": np.zeros(3)}, header)


DAMAGES = {
    "empty": (lambda data: b"", "no checkpoint"),
    "another kind of file": (lambda data: b"GIF89a" + data, "no checkpoint"),
    "cut short": (lambda data: data[:-1], "cut short or damaged"),
    "a bit flipped": (lambda data: data[:900] + bytes([data[900] ^ 4]) + data[901:], "damaged"),
    "longer": (lambda data: data + b"\0", "damaged"),
    "another job's": (foreign, "of another job, N4_Kinf_seeds3-4_"),
    "of later numerics": (newer_numerics, "of numerics version 1000000, this code's is"),
    "of other numerics": (older_numerics, "of numerics version 0, this code's is"),
    "of other code": (of_other_code, "arrays are not those"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_checkpoint_is_named_and_the_one_before_used(damage, interrupted, caplog):
    change, message = DAMAGES[damage]
    path = newest(interrupted)
    path.write_bytes(change(path.read_bytes()))
    resumed = Interrupting(interrupted, JOB, 61)
    with caplog.at_level(logging.INFO), pytest.raises(Killed):
        training.train(JOB, checkpoints=resumed)
    assert resumed.attempts[-1]["from_step"] == 59
    assert f"{path} is refused" in caplog.text
    assert message in caplog.text
    assert not {p.name for p in interrupted.iterdir()} - {
        "000000000060.checkpoint",
        "000000000061.checkpoint",
    }


def test_with_no_good_checkpoint_it_starts_again(interrupted, caplog):
    expected = training.train(JOB)
    for path in interrupted.iterdir():
        path.write_bytes(path.read_bytes()[:200])
    checkpoints = Checkpoints(interrupted, JOB)
    with caplog.at_level(logging.WARNING):
        assert digest(training.train(JOB, checkpoints=checkpoints), JOB) == digest(expected, JOB)
    assert "none of 2 checkpoints can be used: starting from step 0" in caplog.text
    assert checkpoints.attempts[0]["from_step"] == 0
    assert len(list(interrupted.iterdir())) == 1


def test_a_pickle_is_not_opened(interrupted):
    """Objects are what npz can hold only by pickling."""
    state, header = decode(newest(interrupted).read_bytes())
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        decode(bytes(encode({**state, "active": np.array([print], dtype=object)}, header)))


@pytest.mark.parametrize("number", checkpoint.SIGNALS)
def test_a_signal_saves_and_ends_in_failure(number, tmp_path):
    expected = training.train(JOB)
    before = [signal.getsignal(n) for n in checkpoint.SIGNALS]

    def at_step_50(done, left):
        if done == 50:
            os.kill(os.getpid(), number)

    with pytest.raises(Interrupted) as caught, Checkpoints(tmp_path, JOB) as checkpoints:
        training.train(JOB, on_progress=at_step_50, checkpoints=checkpoints)
    assert isinstance(caught.value.code, str)  # a message on stderr and exit code 1
    said = f"interrupted by {signal.Signals(number).name} after step 51; its checkpoint is saved"
    assert said in caught.value.code
    assert [signal.getsignal(n) for n in checkpoint.SIGNALS] == before
    resumed = Checkpoints(tmp_path, JOB)
    assert digest(training.train(JOB, checkpoints=resumed), JOB) == digest(expected, JOB)
    assert [attempt["from_step"] for attempt in resumed.attempts] == [0, 51]


@pytest.mark.parametrize("other", [-1, 1])
def test_it_ends_when_the_process_that_started_it_does(tmp_path, monkeypatch, other):
    checkpoints = Checkpoints(tmp_path, JOB)
    monkeypatch.setattr(os, "getppid", lambda: checkpoints._parent + other)
    with pytest.raises(Interrupted, match="the process that started it after step 1"):
        training.train(JOB, checkpoints=checkpoints)
    assert newest(tmp_path).name == "000000000001.checkpoint"


def test_a_full_disk_does_not_end_a_training(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.files, "write_bytes", full)
    checkpoints = Checkpoints(tmp_path, JOB, minutes=0)
    training.train(replace(JOB, steps=60), checkpoints=checkpoints)
    assert "no checkpoint after step 60, the training goes on: [Errno 28] No space" in caplog.text
    assert checkpoints.saved == 0


def test_it_says_so_if_the_last_checkpoint_fails(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, JOB)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "I/O error")))
    checkpoints._signal = "SIGTERM"
    with pytest.raises(Interrupted, match="NO checkpoint could be saved now"):
        training.train(JOB, checkpoints=checkpoints)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_saved_before_it_is_time(tmp_path):
    checkpoints = Checkpoints(tmp_path, JOB, minutes=5)
    training.train(replace(JOB, steps=60), checkpoints=checkpoints)
    assert checkpoints.saved == 1  # the last
    assert checkpoints.seconds >= checkpoints.seconds_saving


def test_another_is_saved_only_after_the_interval(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    checkpoints, saved = Checkpoints(tmp_path, JOB, minutes=5), []
    for step, seconds in enumerate((299, 301, 302, 600, 602), start=1):
        now[0] = seconds
        checkpoints.after_step(step, lambda: {"x": np.zeros(1)})
        saved.append(checkpoints.saved)
    assert saved == [0, 1, 1, 1, 2]


def test_the_time_of_earlier_attempts_counts(tmp_path):
    before = Checkpoints(tmp_path, JOB)
    before._before = 1000.0
    before.save(1, {"x": np.zeros(1)})
    after = Checkpoints(tmp_path, JOB)
    after.resume(lambda state: None)
    assert 1000 < after.seconds < 1100


def test_checkpoints_lie_beside_results_and_go_when_collected(tmp_path):
    artifact = tmp_path / "results/x/train/e/j.nc"
    folder = checkpoint.folder_of(artifact)
    assert folder == tmp_path / "results/x/checkpoints/e/j"
    training.train(replace(JOB, steps=1), checkpoints=Checkpoints(folder, replace(JOB, steps=1)))
    assert list(folder.iterdir())
    checkpoint.remove(artifact)
    assert not (tmp_path / "results/x/checkpoints").exists()
    checkpoint.remove(artifact)  # a job that never saved one


def test_what_is_known_of_earlier_attempts_is_kept(interrupted):
    resumed = Checkpoints(interrupted, JOB, facts={"device": "cpu"})
    training.train(JOB, checkpoints=resumed)
    assert resumed.attempts == [{"from_step": 0}, {"from_step": 60, "device": "cpu"}]
    _, header = decode(newest(interrupted).read_bytes())
    assert header["attempts"] == resumed.attempts
    assert json.dumps(header["job"], sort_keys=True) == json.dumps(JOB.identity(), sort_keys=True)
    assert header["seconds"] > 0


def test_other_arithmetic_is_named_when_a_job_goes_on(tmp_path, caplog):
    here = {"device": "cpu", "processor": "one", "code_path": "AVX512"}
    first = Interrupting(tmp_path, JOB, 60)
    first.attempts[0].update(here)
    with pytest.raises(Killed):
        training.train(JOB, checkpoints=first)
    with caplog.at_level(logging.WARNING):
        same = Checkpoints(tmp_path, JOB, facts=here)
        same.resume(lambda state: None)
        assert "arithmetic" not in caplog.text
        other = Checkpoints(tmp_path, JOB, facts={**here, "code_path": "AVX2"})
        training.train(JOB, checkpoints=other)
    assert "was that of cpu, one, AVX512; from here on it is cpu, one, AVX2" in caplog.text
    job_facts = {**here, "attempts": json.dumps(other.attempts)}
    assert provenance.arithmetics(job_facts) == ["cpu, one, AVX2", "cpu, one, AVX512"]


def test_the_digest_stands_in_a_line_of_its_own(interrupted):
    """So that sha256sum can check what follows it, a file of numpy's."""
    line, data = newest(interrupted).read_bytes().split(b"\n", 1)
    assert line == b"icl-race checkpoint 1 " + hashlib.sha256(data).hexdigest().encode()
    with np.load(io.BytesIO(data)) as archive:
        assert json.loads(archive["header"].item())["step"] == 60


def test_a_first_attempt_has_taken_no_time_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: 7.0)
    assert Checkpoints(tmp_path, JOB).seconds == 0


def test_a_checkpoint_that_goes_by_itself_is_no_fault(tmp_path, monkeypatch):
    """Another process may sweep the same folder."""
    checkpoints = Checkpoints(tmp_path, JOB)
    gone = tmp_path / "000000000001.checkpoint"
    monkeypatch.setattr(checkpoint.Path, "glob", lambda *_: [gone])
    assert checkpoints.save(2, {"x": np.zeros(1)})
    assert checkpoints.saved == 1
