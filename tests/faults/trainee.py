"""Train a tiny job by the rule's own script, in a process of its own, without Snakemake."""

import os
import runpy
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from icl.engine import checkpoint, training  # training: once, before forks
from icl.job import Evaluation, EvaluationSequences, Job, Model, Optimiser, Stop, Task, WeightDecay
from icl.store import artifacts  # training: once, before forks

ROOT = Path(__file__).resolve().parents[2]

# Seconds long.
JOB = Job(
    model=Model("one_layer", 13, 32, "context", False),
    task=Task("random", 128),
    optimiser=Optimiser(0.3, 64, WeightDecay(1e-6, 1e-6)),
    evaluation=Evaluation("linear", 50, None, EvaluationSequences(400, 200, 100), 200),
    stop=Stop("never", None, None, None),
    steps=3000,
    context_length=4,
    n_items=64,
    seeds=(3, 4, 5),
)


class Trainee:
    """A job and where its results go.

    Attributes:
        artifact: the file that it makes.
        checkpoints: the folder of its checkpoints.
    """

    def __init__(self, results: Path, minutes: float, job: Job = JOB, logs: Path | None = None):
        self.results, self.minutes, self.job = results, minutes, job
        self.artifact = results / f"train/transition/{job.name}.nc"
        self.checkpoints = checkpoint.folder_of(self.artifact)
        self.log = (logs or results / "logs") / f"{job.name}.log"

    @staticmethod
    def warm_up() -> None:
        """Load compiled code into this process, so that those that it forks start quickly."""
        training.train(replace(JOB, steps=1))

    def train(self) -> None:
        """Run the rule's script in this process."""
        snakemake = SimpleNamespace(
            log=[str(self.log)],
            output=[str(self.artifact)],
            threads=1,
            rule="train",
            config={"device": "cpu", "checkpoint_minutes": self.minutes},
            params=SimpleNamespace(identity=self.job.identity()),
        )
        runpy.run_path(str(ROOT / "scripts/train.py"), {"snakemake": snakemake}, "__main__")

    def fork(self) -> int:
        """Run the rule's script in a process of its own; return its id."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            with open(self.log.with_suffix(".stderr"), "a") as stderr:
                os.dup2(stderr.fileno(), 2)
            self.train()
            status = 0
        except SystemExit as ending:
            os.write(2, f"{ending.code}\n".encode())
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(status)

    @property
    def said(self) -> str:
        """What its processes wrote to stderr and to the log."""
        files = (self.log, self.log.with_suffix(".stderr"))
        return "".join(file.read_text() for file in files if file.exists())

    def newest_step(self) -> int:
        """Read every checkpoint; return the newest's step, 0 if there is none."""
        headers = [
            checkpoint.decode(path.read_bytes())[1]
            for path in self.checkpoints.glob(f"*{checkpoint.SUFFIX}")
        ]
        return max((header["step"] for header in headers), default=0)

    def digest(self) -> str | None:
        """Read the artifact; return the digest of its numbers, None if there is no artifact."""
        if not self.artifact.exists():
            return None
        return artifacts.read(self.artifact).attrs["data_digest"]


if __name__ == "__main__":  # trainee.py results minutes
    Trainee(Path(sys.argv[1]), float(sys.argv[2])).train()
