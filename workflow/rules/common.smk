# The checked configuration, its jobs, and the paths of results.
import math
import os
import signal
import sys
from functools import partial
from pathlib import Path

# Of the clone: the working directory may be another.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
SCRIPTS = ROOT / "scripts"
if not SCRIPTS.is_dir():
    sys.exit(
        f"{ROOT} lacks scripts/; allowed: workflow/Snakefile of a clone on this disk"
    )
sys.path.insert(0, str(SCRIPTS))
from icl.experiment import batches, cost, grid, reach, targets, validation
from icl.experiment.yaml_files import Sources, from_here  # here: for the other rules
from icl.job import ConfigError
from icl.planning import watch  # for the Snakefile
from icl.text import in_script

# The warning before a time limit, SIGUSR1, goes to every process of a job: training alone heeds it.
if "SLURM_JOB_ID" in os.environ:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

# Snakemake's own limit of job starts wakes the scheduler ever more often. A user's limit is kept.
limit = getattr(workflow.scheduling_settings, "max_jobs_per_timespan", None)
if limit and (limit.max_jobs, limit.timespan) == (100, 1):
    workflow.scheduling_settings.max_jobs_per_timespan = None

# A module's configuration is what its importer hands to it, not the files of the command.
IS_MODULE = not workflow.modifier.is_main_snakefile()
paths = workflow.modifier.path_modifier
if paths.prefix or paths.modifies_prefixes:
    sys.exit(
        "icl-race's module has a prefix; allowed: none, but another `name` in its config"
    )

try:
    given = [] if IS_MODULE else workflow.config_settings.configfiles
    beside = "the module's config" if IS_MODULE else "--config"
    SOURCES = Sources.of_size(given, config, beside)
    config = grid.merge(SOURCES.merged(), config)
    JOBS = {
        name: {job.name: job for job in jobs}
        for name, jobs in validation.check(config, SOURCES).items()
    }
except ConfigError as error:
    # Not a WorkflowError, which would add the lines of this file to a message for users.
    sys.exit(f"The configuration cannot be run:\n{error}")
config["claims"] = SOURCES.in_order(config["claims"])
# A report has a figure's title twice in a script: among the labels, and among the rule's parameters.
for _entry in config["figures"].values():
    _entry["title"] = in_script(_entry["title"])
ABOUT = in_script(config.get("about", ""))  # among the parameters, too
RESULTS = f"results/{config.get('name', config['preset'])}"
TRAINED = f"{RESULTS}/train/{{experiment}}/{{job}}.nc"
WEIGHTS = f"{RESULTS}/weights/{{experiment}}/{{job}}/{{moment}}.safetensors"
COLLECTED = f"{RESULTS}/collected/{{experiment}}.nc"
PREDICTED = f"{RESULTS}/theory/{{theory}}.nc"
VERDICT = f"{RESULTS}/analysis/{{claim}}.json"
FIGURES = f"{RESULTS}/figures/{{figure}}.{{kind}}"
TIMES_OF_TRAINING = f"{RESULTS}/benchmarks/train/{{experiment}}/{{job}}.tsv"
LOG_OF_TRAINING = f"{RESULTS}/logs/train/{{experiment}}/{{job}}.log"


def weights_of(experiment):
    """List the files of weights that a configuration asks of an experiment's jobs, these left open."""
    moments = config.get("weights", {}).get(experiment, [])
    return expand(WEIGHTS, moment=moments, allow_missing=True)


def was_brought(experiment, job):
    """Tell whether an artifact is there that no rule of a job alone has made.

    It was trained together with others, or elsewhere. To Snakemake it is a source, as a rule that
    makes several would make all of them again for one. The times of a job alone are written after
    its artifact: older ones are of an artifact that has been replaced.
    """
    wanted = [TRAINED, *weights_of(experiment)]
    paths = [Path(path.format(experiment=experiment, job=job)) for path in wanted]
    if not all(path.is_file() for path in paths):
        return False
    timed = Path(TIMES_OF_TRAINING.format(experiment=experiment, job=job))
    return not timed.is_file() or timed.stat().st_mtime_ns < paths[0].stat().st_mtime_ns


# (experiment, number, jobs) of those to be trained together, and the jobs trained alone.
TOGETHER, ALONE = [], {}
for name, jobs in JOBS.items():
    ALONE[name] = {job for job in jobs if not was_brought(name, job)}
    divided = batches.batches(jobs, config.get("replicates_per_job"))
    for number, batch in enumerate(batch for batch in divided if len(batch) > 1):
        if missing := [
            job
            for job in batch
            if not Path(TRAINED.format(experiment=name, job=job)).is_file()
        ]:
            TOGETHER.append((name, number, missing))
            ALONE[name] -= set(missing)
ASKED = {name: cost.largest(jobs.values()) for name, jobs in JOBS.items()}
DESCRIBED = (
    Path.cwd() / RESULTS / "report"
)  # absolute: else looked for beside the rules
MARKING_GAPS = config.get("missing_blocks", "wait") == "mark"


wildcard_constraints:
    experiment="|".join(JOBS),
    job=r"N\d+_K(\d+|inf)_seeds\d+-\d+_[0-9a-f]{12}",
    theory="|".join(config["theory"]),
    claim="|".join(config["claims"]),


def code_of(script):
    """List the modules of the library that a script reaches: if one is mended, its rule runs again.

    Training has none: its artifacts carry the version of the numerics (docs/design.md).
    """
    return reach.code_of(script, SCRIPTS)


def job_of(wildcards):
    """Return the training job that the wildcards name."""
    return JOBS[wildcards.experiment][wildcards.job]


def identities_of(wildcards, output):
    """Return the identities of the jobs whose artifacts are written.

    Of a function of outputs Snakemake takes no note: which jobs are together is no reason to train.
    """
    artifacts = [Path(path) for path in output if path.endswith(".nc")]
    return [JOBS[path.parent.name][path.stem].identity() for path in artifacts]


def blocks_of(experiment):
    """List an experiment's artifacts: all, or, where gaps are to be marked, those that exist."""
    paths = expand(TRAINED, experiment=experiment, job=JOBS[experiment])
    return [path for path in paths if Path(path).is_file()] if MARKING_GAPS else paths


def has_data(experiment):
    """Tell whether an experiment has data: trained here, or brought collected by an archive."""
    is_here = Path(COLLECTED.format(experiment=experiment)).is_file()
    brought = is_here and not Path(f"{RESULTS}/train/{experiment}").is_dir()
    return brought or bool(blocks_of(experiment))


def used_by(kind, name):
    """Name the datasets that play the roles of a claim or a figure."""
    return set(config[kind][name]["experiments"].values())


def drawable():
    """List the figures whose experiments all have data."""
    used = {name: used_by("figures", name) & set(JOBS) for name in config["figures"]}
    return [figure for figure, names in used.items() if all(map(has_data, names))]


def datasets_of(kind, name):
    """List the datasets that a claim or a figure needs."""
    trained = sorted(filter(has_data, used_by(kind, name) & set(JOBS)))
    predicted = sorted(used_by(kind, name) & set(config["theory"]))
    return expand(COLLECTED, experiment=trained) + expand(PREDICTED, theory=predicted)


def jobs_of(kind, name):
    """Name the training jobs behind a claim or a figure, by experiment."""
    used = used_by(kind, name) & set(JOBS)
    return {experiment: sorted(JOBS[experiment]) for experiment in sorted(used)}


def place_of(experiment, job) -> float:
    """Place the longest job first, or those of the first experiment if `in_order` asks for it."""
    experiments = list(JOBS) if config.get("in_order") else [experiment]
    operations = cost.cost(job).operations
    return -experiments.index(experiment) - 1 / math.log2(operations)


def place_in_the_queue(wildcards) -> float:
    """Place a job that trains alone."""
    return place_of(wildcards.experiment, job_of(wildcards))


def memory(asked, wildcards, attempt):
    """Return the megabytes to ask for, of a cost."""
    return asked.memory(attempt, config.get("device"))


def time_limit(asked, wildcards, attempt):
    """Return the minutes to ask for, of a cost."""
    return asked.time_limit(
        attempt, config.get("device"), config.get("time_limit_minutes")
    )
