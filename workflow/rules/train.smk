# Training: one job for each experiment, N, K and block of seeds; then one file an experiment.
# A rule for each experiment, for a job array is of one rule, and asks the same for all its tasks.
for experiment in JOBS:

    rule:
        name:
            f"train_{experiment}"
        output:
            TRAINED,
            weights_of(experiment),
        log:
            f"{RESULTS}/logs/train/{{experiment}}/{{job}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/train/{{experiment}}/{{job}}.tsv"
        wildcard_constraints:
            experiment=experiment,
        # Below all else (0), so that verdicts come early; the longest first, so that none is left over
        # at the end while cores have nothing else to do.
        priority: place_in_the_queue
        conda:
            "../../envs/train.yaml"
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: ASKED[wildcards.experiment].memory(
                attempt, config.get("device")
            ),
            runtime=lambda wildcards, attempt: ASKED[wildcards.experiment].time_limit(
                attempt, config.get("device"), config.get("time_limit_minutes")
            ),
        params:
            identity=lambda wildcards: job_of(wildcards).identity(),
        message:
            "Train {wildcards.experiment}: {wildcards.job}"
        script:
            "../../scripts/train.py"


rule collect:
    input:
        lambda wildcards: blocks_of(wildcards.experiment),
    output:
        COLLECTED,
    log:
        f"{RESULTS}/logs/collect/{{experiment}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect/{{experiment}}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        description=lambda wildcards: config["experiments"][wildcards.experiment][
            "description"
        ],
        jobs=lambda wildcards: sorted(JOBS[wildcards.experiment]),
        preset=config["preset"],
    message:
        "Collect {wildcards.experiment}"
    script:
        "../../scripts/collect.py"
