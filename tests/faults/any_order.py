"""Run, kill, move, delete, damage, collect, archive and change a tiny size, in any order.

    cc -shared -fPIC -o disk.so disk.c -ldl
    LD_PRELOAD=./disk.so python any_order.py SEQUENCES SEED FOLDER
    LD_PRELOAD=./disk.so python any_order.py '[[["begin", {"done": "pack"}], ...], ...]' 0 FOLDER

A state machine of Hypothesis draws the sequences. After each step checker.py, which shares no
reader with the library, says whether the values on the disk are those of an undisturbed run, or
absent. At the end of each sequence the size is run to its end, by what the messages advise, and
must be whole.

Or it replays the sequences of steps that it is given.

Prints what happened as JSON. A sequence with a loss ends in a traceback instead, with its steps;
the same SEED draws the same sequences again.
"""

import ctypes
import hashlib
import json
import os
import runpy
import shutil
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import xarray as xr
from checker import Checker, is_of, runs_of
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from icl.engine import checkpoint
from icl.experiment import grid
from icl.store import archive
from trainee import ROOT

DISK = ctypes.CDLL(None)
SIZE, EXPERIMENT, CLAIM = "tiny", "memorisation", "seed_invariance"
DEFAULTS = {
    "model": {"name": "mlp", "item_dim": 3, "hidden_dim": 4, "mlp_input": "raw"},
    "task": {"item_labels": "random", "redrawn_items": 8},
    "optimiser": {
        "learning_rate": 0.3,
        "batch_size": 4,
        "weight_decay": {"attention": 0.0, "mlp": 0.0},
    },
    "evaluation": {"schedule": "linear", "every": 2},
    "stop": {"when": "never"},
    "block_size": 1,
    "steps": 4,
}
JUDGED = {
    "statement": "",
    "source": "",
    "paper_value": "",
    "statistic": "seed_invariance",
    "experiments": {"memorisation": EXPERIMENT},
    "options": {"c1": 1e-3, "confidence": 0.95, "least_replicates": 2},
    "criteria": [{"quantity": "variation", "description": "", "band": [None, 0.1]}],
}
ITEMS, SEEDS = [[8], [8, 12]], [2, 3]
OVERLAYS = [(items, count) for items in ITEMS for count in SEEDS]
# How a process is disturbed: see disk.c; whether what follows fails too.
WAYS = {"killed": (1, False), "torn": (2, False), "full once": (3, False), "full": (3, True)}
MOST_REPAIRS = 20


COUNTS: Counter = Counter()


class Disturbed(Exception):
    """A rule's process was killed, or found the disk full."""


class Refused(Exception):
    """A rule's process refused a file; the text is its message."""


class Size:
    """A tiny size in the working directory: its rules, called for the reasons that Snakemake has.

    Attributes:
        overlay: the items and the number of seeds.
        known: the jobs behind each file that was made here; Snakemake keeps it beside the results,
            and does not know it of results that were brought.
        disturbance: which process from now on will be disturbed, at which operation on the disk,
            and how.
    """

    results = Path("results", SIZE)
    trained = results / "train" / EXPERIMENT
    collected = results / f"collected/{EXPERIMENT}.nc"
    decided = results / f"analysis/{CLAIM}.json"
    packed = results / "archive.zip"
    config = Path("config.json")

    def __init__(self) -> None:
        self.overlay = OVERLAYS[0]
        self.known: dict[Path, list[str]] = {}
        self.disturbance: tuple[int, int, str] | None = None
        self.config.write_text("{}")

    def runs(self) -> set:
        """List the runs of the overlay, by the checker's formula."""
        items, count = self.overlay
        return runs_of(1, items, 0, count)

    def jobs(self) -> dict:
        """Expand the overlay into jobs, as the workflow does."""
        items, count = self.overlay
        entry = {"grid": [{"context_length": 1, "n_items": items}]}
        entry["seeds"] = {"first": 0, "count": count}
        return {job.name: job for job in grid.expand(DEFAULTS, entry)}

    def train(self) -> list[Path]:
        """Train every job that has no artifact."""
        paths = []
        for name, job in self.jobs().items():
            paths.append(self.trained / f"{name}.nc")
            params = SimpleNamespace(identity=job.identity())
            config = {"device": "cpu", "checkpoint_minutes": 0}
            if not paths[-1].exists():
                self._run("train", paths[-1], threads=1, config=config, params=params)
        return paths

    def collect(self) -> None:
        """Collect, and train what that needs, if there is a reason to."""
        names = sorted(self.jobs())
        inputs = [self.trained / f"{name}.nc" for name in names]
        brought = self.collected.exists() and not self.trained.is_dir()
        if not brought and self._is_due(self.collected, inputs):
            params = SimpleNamespace(description="", jobs=names, preset=SIZE)
            self._run("collect", self.collected, input=list(map(str, self.train())), params=params)

    def decide(self) -> None:
        """Decide the claim, and collect what that needs, if there is a reason to."""
        self.collect()
        if self._is_due(self.decided, [self.collected]):
            jobs = {EXPERIMENT: sorted(self.jobs())}
            inputs = SimpleNamespace(datasets=[str(self.collected)])
            params = SimpleNamespace(claim=JUDGED, jobs=jobs, preset=SIZE, halves=False)
            self._run("analyse", self.decided, input=inputs, params=params)

    def pack(self) -> None:
        """Do all that is due, and pack it."""
        self.decide()
        results = [self.collected, self.decided]
        if self._is_due(self.packed, results):
            inputs = SimpleNamespace(
                results=list(map(str, results)),
                config=self.config,
                configuration=[],
                workflow=ROOT / "workflow/Snakefile",
                citation=ROOT / "CITATION.cff",
            )
            config = {"experiments": {EXPERIMENT: {"description": ""}}, "claims": {CLAIM: JUDGED}}
            params = SimpleNamespace(size=SIZE)
            self._run("archive", self.packed, input=inputs, params=params, config=config)

    def open(self, elsewhere: Path) -> None:
        """Open the archive in another folder, and go on there."""
        source = self.packed.resolve()
        elsewhere.mkdir()
        self._in_a_child(lambda: archive.unpack(source, elsewhere))
        self.go_to(elsewhere)

    def go_to(self, elsewhere: Path) -> None:
        """Go on where results were brought."""
        os.chdir(elsewhere)
        self.config.write_text("{}")
        self.known = {}

    def _is_due(self, output: Path, inputs: list[Path]) -> bool:
        """Tell whether a file is missing, of other jobs or older than what it is made of."""
        if not output.exists() or self.known.get(output, list(self.jobs())) != list(self.jobs()):
            return True
        newest = max((p.stat().st_mtime_ns for p in inputs if p.exists()), default=0)
        return newest > output.stat().st_mtime_ns

    def _run(self, script: str, output: Path, **given) -> None:
        """Run a rule's script as Snakemake does."""
        snakemake = SimpleNamespace(
            log=[str(self.results / f"logs/{script}.log")],
            output=[str(output)],
            rule=script,
            wildcards=SimpleNamespace(experiment=EXPERIMENT, claim=CLAIM),
            **given,
        )
        path = str(ROOT / f"scripts/{script}.py")
        self._in_a_child(lambda: runpy.run_path(path, {"snakemake": snakemake}, "__main__"))
        self.known[output] = list(self.jobs())

    def _in_a_child(self, act) -> None:
        """Do something in a process of its own, disturbed if it is its turn."""
        at, mode, sticky = 0, 0, False
        if self.disturbance:
            turn, at, way = self.disturbance
            self.disturbance = (turn - 1, at, way) if turn else None
            at, (mode, sticky) = (0, (0, False)) if turn else (at, WAYS[way])
        reading, writing = os.pipe()
        if not (pid := os.fork()):
            code = 1
            try:
                os.dup2(writing, 2)
                DISK.disk_arm(str(Path.cwd()).encode(), at, mode, int(sticky))
                act()
                code = 0
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {error}".encode())
            finally:
                os._exit(code)
        os.close(writing)
        with open(reading, encoding="utf-8") as pipe:
            said = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        COUNTS["processes"] += 1
        if code and at:
            COUNTS["disturbed"] += 1
            raise Disturbed(said)
        if code:
            COUNTS["refused"] += 1
            raise Refused(said)


class AnyOrder(RuleBasedStateMachine):
    """Any order of what may befall a size."""

    checker = Checker()
    folder: Path

    @initialize(done=st.sampled_from(["nothing", "train", "pack"]))
    def begin(self, done):
        """Begin with nothing, a trained size or a finished one."""
        self.here = self._place()
        self.here.mkdir()
        os.chdir(self.here)
        self.size, self.left, self.copies = Size(), set(), []
        if done != "nothing":
            getattr(self.size, done)()

    def _place(self) -> Path:
        COUNTS["places"] += 1
        return self.folder / f"place{COUNTS['places']}"

    def _files(self, suffix: str = "") -> list[Path]:
        """List the results in an order that does not change: no logs, nothing half-written."""
        found = sorted(p for p in self.size.results.rglob(f"*{suffix}") if p.is_file())
        return [p for p in found if p.suffix not in (".log", ".part")]

    def _leave(self, path: Path) -> None:
        """Note that a file is as this test has left it."""
        self.left.add((path, hashlib.sha256(path.read_bytes()).digest()))

    def _is_left(self, path: Path) -> bool:
        return (path, hashlib.sha256(path.read_bytes()).digest()) in self.left

    def _act(self, act) -> None:
        """Do something that may be disturbed or refused; a refusal must say what helps."""
        COUNTS["steps"] += 1
        try:
            act()
        except Disturbed:
            pass
        except Refused as refusal:
            self._remedy(refusal)
        self.size.disturbance = None

    def _remedy(self, refusal: Refused) -> Path:
        """Find the file that a message advises to delete."""
        text = str(refusal)
        named = [Path(word.rstrip(":;,")) for word in text.split() if "results/" in word]
        if "remove the collected file" in text:
            named.append(self.size.collected)
        there = [path for path in named if path.is_file()]
        assert there, f"a dead end: {text}"
        return there[0]

    @rule(what=st.sampled_from(["train", "collect", "decide", "pack"]))
    def run(self, what):
        """Run a target to its end."""
        self._act(getattr(self.size, what))

    @rule(
        turn=st.integers(0, 2),
        at=st.integers(1, 12) | st.integers(1, 45),
        way=st.sampled_from(list(WAYS)),
        again=st.booleans(),
    )
    def run_disturbed(self, turn, at, way, again):
        """Run all, or all after training again; a process is killed or finds the disk full."""
        if again:
            self.size.collected.unlink(missing_ok=True)
        self.size.disturbance = (turn, at, way)
        self._act(self.size.pack)

    @rule(overlay=st.sampled_from(OVERLAYS))
    def change(self, overlay):
        """Change the overlay: more or fewer K or seeds, or back."""
        COUNTS["steps"] += 1
        made = (self.size.collected, self.size.decided, self.size.packed)
        self.copies += [(path, path.read_bytes()) for path in made if path.exists()]
        self.size.overlay = overlay

    @rule()
    def move(self):
        """Move the results to another checkout."""
        COUNTS["steps"] += 1
        elsewhere = self._place()
        self.here.rename(elsewhere)
        self.here = elsewhere
        self.size.go_to(elsewhere)

    @precondition(lambda self: self.size.packed.exists())
    @rule()
    def open(self):
        """Open the archive in a fresh checkout."""
        elsewhere = self._place()
        self._act(lambda: self.size.open(elsewhere))
        if Path.cwd() == elsewhere:
            self.here, self.left = elsewhere, set()

    @precondition(lambda self: self._files())
    @rule(which=st.integers(0, 99))
    def delete(self, which):
        """Delete a file."""
        COUNTS["steps"] += 1
        files = self._files()
        files[which % len(files)].unlink()

    @precondition(lambda self: self._files())
    @rule(
        which=st.integers(0, 99),
        where=st.integers(0, 999_999),
        how=st.sampled_from(["cut", "flip", "edit"]),
        quietly=st.booleans(),
    )
    def damage(self, which, where, how, quietly):
        """Cut a file short, flip a bit or edit a number; quietly: its time does not change."""
        COUNTS["steps"] += 1
        files = self._files(".nc" if how == "edit" else "") or self._files()
        path = files[which % len(files)]
        time = path.stat().st_mtime_ns
        if how == "edit" and path.suffix == ".nc" and not self._is_left(path):
            dataset = xr.load_dataset(path, engine="netcdf4")
            dataset.assign(c1=dataset["c1"] + 0.125).to_netcdf(path)
        else:
            data = bytearray(path.read_bytes())
            at = 8 * len(data) * where // 1_000_000
            if how == "cut":
                del data[at // 8 :]
            elif data:
                data[at // 8] ^= 1 << at % 8
            path.write_bytes(data)
        if quietly:
            os.utime(path, ns=(time, time))
        self._leave(path)

    @precondition(lambda self: len(self._files(".nc")) > 1)
    @rule(one=st.integers(0, 99), another=st.integers(0, 99))
    def mix_up(self, one, another):
        """Copy a dataset over another."""
        self._copy_over(self._files(".nc"), one, another)

    @precondition(lambda self: len(self._files(checkpoint.SUFFIX)) > 1)
    @rule(one=st.integers(0, 99), another=st.integers(0, 99))
    def mix_up_checkpoints(self, one, another):
        """Copy a checkpoint over another."""
        self._copy_over(self._files(checkpoint.SUFFIX), one, another)

    def _copy_over(self, files: list[Path], one: int, another: int) -> None:
        COUNTS["steps"] += 1
        source, target = files[one % len(files)], files[another % len(files)]
        if source != target:
            shutil.copy(source, target)
            self._leave(target)

    @precondition(lambda self: self._files(checkpoint.SUFFIX))
    @rule()
    def lose_a_success(self):
        """Delete artifacts as a Snakemake does that was killed before it noted their success."""
        COUNTS["steps"] += 1
        for path in self._files(checkpoint.SUFFIX):
            (self.size.trained / f"{path.parent.name}.nc").unlink(missing_ok=True)

    @precondition(lambda self: self.copies)
    @rule(which=st.integers(0, 99))
    def bring_back(self, which):
        """Put back a copy of what was collected, decided or packed before the overlay changed."""
        COUNTS["steps"] += 1
        path, data = self.copies[which % len(self.copies)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._leave(path)

    @invariant()
    def nothing_else_is_there(self):
        """Every value is an undisturbed run's, and of this overlay's if it was made of its jobs."""
        if hasattr(self, "size"):
            faults = self.checker.faults(self.size.results, self._is_left)
            size, jobs = self.size, list(self.size.jobs())
            made = [p for p in (size.collected, size.decided) if size.known.get(p) == jobs]
            mine = [path for path in made if path.exists() and not self._is_left(path)]
            assert not (faults := faults + self.checker.foreign(mine, size.runs())), faults

    def teardown(self):
        """Run the size to its end, by what the messages advise; it must be whole."""
        if not hasattr(self, "size"):
            return
        for path in (self.size.collected, self.size.decided, self.size.packed):
            path.unlink(missing_ok=True)
        for _ in range(MOST_REPAIRS):
            try:
                self.size.pack()
                break
            except Refused as refusal:
                self._remedy(refusal).unlink()
        else:
            raise AssertionError("the advice of the messages has no end")
        runs = self.size.runs()  # what is of another overlay, and damaged, nothing has read
        faults = self.checker.faults(self.size.results, lambda path: not is_of(path, runs))
        faults += self.checker.lacking(self.size.results, runs)
        assert not faults, faults
        COUNTS["sequences"] += 1
        os.chdir(self.folder)
        shutil.rmtree(self.here)


def learn(folder: Path) -> None:
    """Take an undisturbed run of each overlay for what is right."""
    AnyOrder.folder = folder
    for overlay in OVERLAYS:
        here = folder / "undisturbed"
        here.mkdir()
        os.chdir(here)
        size = Size()
        size.overlay = overlay
        if overlay == OVERLAYS[0]:
            size._in_a_child = lambda act: act()  # the first here, so that forks have all loaded
        size.pack()
        AnyOrder.checker.learn(size.results, size.runs())
        os.chdir(folder)
        shutil.rmtree(here)
    COUNTS.clear()


def draw(sequences: int, seed: int) -> None:
    """Try as many sequences as asked."""
    print(f"seed {seed}", file=sys.stderr)
    run_state_machine_as_test(
        hypothesis.seed(seed)(AnyOrder),
        settings=hypothesis.settings(
            max_examples=sequences,
            stateful_step_count=15,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[hypothesis.Phase.generate],  # to shrink a sequence takes minutes
            report_multiple_bugs=False,
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )


def replay(steps: list) -> None:
    """Do the steps that are given, in their order."""
    state = AnyOrder()
    for name, arguments in steps:
        getattr(state, name)(**arguments)
        state.nothing_else_is_there()
    state.teardown()


if __name__ == "__main__":
    learn(Path(sys.argv[3]).resolve())
    asked = json.loads(sys.argv[1])
    if isinstance(asked, int):
        draw(asked, int(sys.argv[2]))
    else:
        for steps in asked:
            replay(steps)
    print(json.dumps(COUNTS))
