# The checked configuration, its jobs, and the paths of results.
import difflib
import os
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))
from icl.experiment import cost as costs
from icl.job import ConfigError
from icl.experiment import validation

# The warning before a time limit, SIGUSR1, goes to every process of a job: training alone heeds it.
if "SLURM_JOB_ID" in os.environ:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

# Snakemake's own limit of 100 job starts a second wakes the scheduler once a second for every job that
# has ended: hundreds of times a second late in a run. A limit that the user gives is kept.
limit = (
    workflow.scheduling_settings and workflow.scheduling_settings.max_jobs_per_timespan
)
if limit and (limit.max_jobs, limit.timespan) == (100, 1):
    workflow.scheduling_settings.max_jobs_per_timespan = None


def checked_configuration():
    """Check the configuration; return its files as read, and each experiment's jobs by file name."""
    try:
        sources = validation.Sources(config_files())
        sources.refuse_overlay_before_preset([str(path) for path in common_files()])
        jobs = validation.check(config, sources)
    except ConfigError as error:
        # Not a WorkflowError, which would add the lines of this file to a message for users.
        sys.exit(f"The configuration cannot be run:\n{error}")
    return sources, {
        name: {job.name: job for job in listed} for name, listed in jobs.items()
    }


def config_files():
    """List the files that make up the configuration, later ones winning."""
    given = [Path(path).resolve() for path in workflow.config_settings.configfiles]
    own = [Path(path).resolve() for path in workflow.configfiles]
    files = [path for path in dict.fromkeys(own) if path not in given] + given
    return [from_here(path) for path in files]


def from_here(path):
    """Write an absolute path as seen from the working directory, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def preset_and_overlays():
    """List the configuration's files without those that are common to all sizes."""
    return [path for path in config_files() if path not in common_files()]


def common_files():
    """List the files of the configuration that are common to all sizes."""
    claims_file = config.get("claims_file", "config/claims.yaml")
    return [Path("config/theory.yaml"), Path(claims_file)]


def modules(*patterns):
    """List modules of the library whose change must redo a stage that costs seconds.

    Training is not one: its artifacts carry the version of the numerics (docs/design.md).
    """
    library = Path(workflow.basedir) / "scripts/icl"
    found = [path for pattern in patterns for path in library.glob(pattern)]
    return sorted(str(from_here(path)) for path in found)


SOURCES, JOBS = checked_configuration()
# Snakemake puts first those that a preset or an overlay changes.
config["claims"] = SOURCES.in_order(config["claims"])
RESULTS = f"results/{config.get('name', config['preset'])}"
TRAINED = f"{RESULTS}/train/{{experiment}}/{{job}}.nc"
COLLECTED = f"{RESULTS}/collected/{{experiment}}.nc"
PREDICTED = f"{RESULTS}/theory/{{theory}}.nc"
VERDICT = f"{RESULTS}/analysis/{{claim}}.json"
FIGURES = f"{RESULTS}/figures/{{figure}}.{{kind}}"
# What a job asks a scheduler for: as much as the largest job of its experiment needs.
ASKED = {name: costs.largest(jobs.values()) for name, jobs in JOBS.items()}
# Captions and first page, absolute: Snakemake would look for them beside its rules.
DESCRIBED = Path.cwd() / RESULTS / "report"
MARKING_GAPS = config.get("missing_blocks", "wait") == "mark"
AFTER_A_FAILURE = (
    "Something failed, or was stopped; what finished is kept, and the same command goes on from "
    "there.\n"
    "If it then says that the directory cannot be locked, though no other snakemake runs in it: "
    "snakemake --unlock, then the same command.\n"
    "To draw figures and decide claims now, with the gaps marked: snakemake all --configfile "
    + " ".join([*map(str, preset_and_overlays()), "config/mark_gaps.yaml"])
)


wildcard_constraints:
    experiment="|".join(JOBS),
    job=r"N\d+_K(\d+|inf)_seeds\d+-\d+_[0-9a-f]{12}",
    theory="|".join(config["theory"]),
    claim="|".join(config["claims"]),


def job_of(wildcards):
    """Return the training job that the wildcards name."""
    return JOBS[wildcards.experiment][wildcards.job]


def training_priority(wildcards):
    """Rank training jobs below all else (0), so that verdicts come early, by the steps they may take.

    The longest first, so that none is left over at the end while cores have nothing else to do.
    """
    return -1 / costs.cost(job_of(wildcards)).operations


def asked_minutes(cost, attempt):
    """Return the time limit to ask for, which grows with the attempt up to the cluster's own."""
    minutes = cost.gpu_minutes if config.get("device") == "cuda" else cost.minutes
    return min(attempt * minutes, config.get("time_limit_minutes", attempt * minutes))


def blocks_of(experiment):
    """List an experiment's artifacts: all, or, where gaps are to be marked, those that exist."""
    paths = expand(TRAINED, experiment=experiment, job=JOBS[experiment])
    return [path for path in paths if Path(path).is_file()] if MARKING_GAPS else paths


def has_data(experiment):
    """Tell whether an experiment has data: not if gaps are marked, and all is one.

    From an archive its data come collected, with no folder of training beside them.
    """
    came_collected = (
        Path(COLLECTED.format(experiment=experiment)).is_file()
        and not Path(f"{RESULTS}/train/{experiment}").is_dir()
    )
    return came_collected or bool(blocks_of(experiment))


def drawable():
    """List the figures whose experiments all have data."""
    return [
        figure
        for figure, entry in config["figures"].items()
        if all(has_data(name) for name in entry["experiments"].values() if name in JOBS)
    ]


def datasets_of(kind, name):
    """List the datasets that play the roles of a claim or a figure."""
    used = set(config[kind][name]["experiments"].values())
    collected = expand(COLLECTED, experiment=sorted(filter(has_data, used & set(JOBS))))
    return collected + expand(PREDICTED, theory=sorted(used & set(config["theory"])))


def jobs_of(kind, name):
    """Name the training jobs behind a claim or a figure, by experiment."""
    used = set(config[kind][name]["experiments"].values())
    return {
        experiment: sorted(JOBS[experiment]) for experiment in sorted(used & set(JOBS))
    }


def refuse_unknown_targets():
    """End with a hint where a word of the command looks like a claim's or a figure's target.

    Snakemake, which knows its targets only later, would say that no rule produces it.
    """
    names = [rule.name for rule in workflow.rules]
    names += map(figure_target, config["figures"])  # those that have no data, too
    for word in sys.argv[1:]:
        if re.fullmatch(r"(claim|fig)\w*", word) and word not in names:
            kind = {own_name(name): name for name in names if name.startswith(word[:3])}
            near = difflib.get_close_matches(own_name(word), kind, n=1)
            hint = (
                f"did you mean {kind[near[0]]}?"
                if near
                else f"there are {', '.join(sorted(kind.values()))}"
            )
            sys.exit(f"There is no target {word}; {hint}")


def own_name(target):
    """Name what a target is of: claim_long_tail -> long_tail, figure_A4 -> a4."""
    return re.sub("^(claim|fig(ure)?)_?", "", target).lower()


def figure_target(figure):
    """Name a figure's target as the paper prints it: fig6 -> figure_6."""
    return figure.replace("fig", "figure_", 1)
