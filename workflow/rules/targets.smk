# Targets beside `all`: every figure, every claim, and each of them by name.


rule figures:
    input:
        expand(FIGURES, figure=drawable(), kind=["pdf", "png"]),
    message:
        f"Every figure is in {RESULTS}/figures"


rule claims:
    input:
        rules.summarise.output,
    message:
        "Every claim is decided: {input}"


rule collected:
    input:
        expand(COLLECTED, experiment=JOBS),
    message:
        f"Every experiment's data are in {RESULTS}/collected"


# The weights that the configuration asks for; all other targets let them come with training.
rule weights:
    input:
        [
            path
            for experiment in config.get("weights", {})
            for path in expand(
                weights_of(experiment), experiment=experiment, job=JOBS[experiment]
            )
        ],
    message:
        f"The weights asked for are in {RESULTS}/weights"


for claim in config["claims"]:

    rule:
        name:
            f"claim_{claim}"
        input:
            expand(VERDICT, claim=claim),
        message:
            "Decided: {input}"


for figure in drawable():

    rule:
        name:
            targets.figure_target(figure)
        input:
            expand(FIGURES, figure=figure, kind=["pdf", "png"]),
        message:
            "Drawn: {input}"


# What a size takes, measured and estimated now; nothing else is run. (While something runs:
# scripts/status.py.)
rule plan:
    log:
        f"{RESULTS}/logs/plan.log",
    localrule: True
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=30,
    message:
        "Plan: measure this machine for a few seconds an experiment"
    script:
        "../../scripts/plan.py"
