# icl-race: from a grid in YAML to figures and verdicts. See README.md.
import atexit
import shlex

from snakemake.utils import min_version

min_version("9.0")


# A preset (config/*.yaml with the key `preset`) replaces another whole; only an overlay merges.
if "preset" not in config:
    if workflow.config_settings.configfiles:
        raise SystemExit(
            "The configuration cannot be run: none of the files given is a preset (has the key "
            "preset); give one first, as in --configfile config/laptop.yaml my.yaml"
        )


configfile: "config/theory.yaml"
configfile: config.get("claims_file", "config/claims.yaml")


if "preset" not in config:

    configfile: "config/laptop.yaml"  # last: it wins over what is common to all sizes


include: "workflow/rules/common.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/targets.smk"


rule all:
    default_target: True
    input:
        rules.summarise.output,
        expand(FIGURES, figure=drawable(), kind=["pdf", "png"]),
    message:
        f"All figures and verdicts are in {RESULTS}"


# Those of figures that have no data, too.
named = [rule.name for rule in workflow.rules]
named += map(targets.figure_target, config["figures"])
if mistake := targets.mistaken_target(sys.argv[1:], named):
    sys.exit(mistake)


# What runs, how far it is, and what ended it. Processes of jobs read this file too, and say nothing.
if workflow.is_main_process and not workflow.dryrun:
    seen = watch.Watch(
        {name: jobs.values() for name, jobs in JOBS.items()}, Path(RESULTS), logger
    )
    logger.addHandler(seen)
    atexit.register(
        seen.say_what_failed,
        os.environ.get("TYPED", shlex.join(["snakemake", *sys.argv[1:]])),
        SOURCES.preset_and_overlays,
    )
