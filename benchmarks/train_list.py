"""Train a size's jobs on a machine that has a GPU and no Snakemake.

    python benchmarks/train_list.py list extended > jobs.json      # where the workflow is installed
    python benchmarks/train_list.py train jobs.json --seconds 500  # on the machine with the card

The artifacts, in `results/<size>/train/`, are those of the workflow: copy them into its
`results/`, where it trains none of them again. Experiments are trained in the order of the list,
the longest jobs of each first, several at a time, which keeps a card busy while one of them draws
or evaluates. When the time is over each saves a checkpoint, from which the next call goes on.
Training needs torch, Triton, numba, netCDF4 and xarray.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
INTERRUPTED = 75  # the status of a worker that saved a checkpoint


def listed(size: str, experiments: list[str], overlays: list[Path]) -> list[dict]:
    """Name the jobs of a size, or of some of its experiments, by all that determines them."""
    from icl.experiment.validation import Sources, check

    sources = Sources.of_size([ROOT / f"config/{size}.yaml", *overlays])
    jobs = check(sources.merged(), sources)
    return [
        {"size": size, "experiment": name, "identity": job.identity()}
        for name in experiments or jobs
        for job in jobs[name]
    ]


def taken(claims: Path, name: str) -> bool:
    """Take a job; say whether another worker had."""
    try:
        (claims / name).touch(exist_ok=False)
    except FileExistsError:
        return True
    return False


def put_together(jobs: list[dict], replicates: int | None) -> list[tuple[str, str, list]]:
    """Divide a list into batches of alike jobs, of at most so many replicates.

    Each has its size, its experiment and its jobs.
    """
    from icl.experiment.batches import batches
    from icl.job import job_from_identity

    found = []
    for of, entries in groupby(jobs, key=lambda each: (each["size"], each["experiment"])):
        made = [job_from_identity(each["identity"]) for each in entries]
        named = {job.name: job for job in made}
        found += [(*of, [named[name] for name in b]) for b in batches(named, replicates)]
    return found


def work(jobs: list[dict], claims: Path, replicates: int | None) -> int:
    """Train the jobs that no other worker takes; return how many batches failed."""
    import torch
    from icl.engine import machine
    from icl.engine.blocks import train_all_to
    from icl.engine.checkpoint import Interrupted
    from icl.store import provenance

    machine.prepare(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    failed = 0
    for size, experiment, batch in put_together(jobs, replicates):
        folder = Path("results") / size / "train" / experiment
        left = [job for job in batch if not (folder / f"{job.name}.nc").exists()]
        if not left or taken(claims, f"{experiment}-{batch[0].name}"):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        facts = provenance.gather(
            rule="train",
            experiment=experiment,
            device=str(device),
            threads=1,
            **machine.describe(device),
        )
        start, said = time.monotonic(), "trained"
        try:
            paths = [folder / f"{job.name}.nc" for job in left]
            train_all_to(paths, left, device, facts, lambda done, left: None)
        except Interrupted:
            sys.exit(INTERRUPTED)
        except Exception as error:  # the others go on
            said, failed = repr(error)[:300], failed + 1
        seconds = round(time.monotonic() - start, 1)
        for job in left:
            # In one piece, for another worker writes to the same pipe.
            sys.stdout.write(json.dumps([experiment, job.name, said, seconds]) + "\n")
            sys.stdout.flush()
    return failed


def train(path: Path, seconds: float, workers: int, replicates: int | None) -> int:
    """Train a list with several workers; return how many of them failed, or had a job that did."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as claims:  # a file for each job that a worker has taken
        command = [sys.executable, __file__, "work", str(path), claims]
        command += [] if replicates is None else ["--replicates", str(replicates)]
        started = [subprocess.Popen(command) for _ in range(workers)]
        try:
            while time.monotonic() < end and any(worker.poll() is None for worker in started):
                time.sleep(0.1)
        finally:
            for worker in started:
                worker.terminate()  # a job saves a checkpoint after its next step
            ended = [worker.wait() for worker in started]
    return sum(status not in (0, INTERRUPTED, -signal.SIGTERM) for status in ended)


def main() -> None:
    """List, or train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("list", help="print a size's jobs")
    verb.add_argument("size")
    verb.add_argument("experiments", nargs="*")
    verb.add_argument("--overlay", type=Path, nargs="+", default=[])
    verb = verbs.add_parser("train", help="train the jobs of a list")
    verb.add_argument("jobs", type=Path)
    verb.add_argument("--seconds", type=float, default=300)
    verb.add_argument("--workers", type=int, default=4)
    verb.add_argument("--replicates", type=int, help="that alike jobs have, trained together")
    verb = verbs.add_parser("work", help="what each worker runs")
    verb.add_argument("jobs", type=Path)
    verb.add_argument("claims", type=Path)
    verb.add_argument("--replicates", type=int)
    arguments = parser.parse_args()
    if arguments.verb == "list":
        print(json.dumps(listed(arguments.size, arguments.experiments, arguments.overlay)))
    elif arguments.verb == "train":
        given = arguments.jobs, arguments.seconds, arguments.workers, arguments.replicates
        sys.exit(1 if train(*given) else 0)
    else:
        jobs = json.loads(arguments.jobs.read_text())
        sys.exit(1 if work(jobs, arguments.claims, arguments.replicates) else 0)


if __name__ == "__main__":
    main()
