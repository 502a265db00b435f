# Training: one job for each experiment, N, K and block of seeds; then one file an experiment.
# A rule for each experiment, for a job array is of one rule, and asks the same for all its tasks.
for experiment, alone in ALONE.items():
    if not alone:
        continue

    rule:
        name:
            f"train_{experiment}"
        output:
            TRAINED,
            weights_of(experiment),
        log:
            LOG_OF_TRAINING,
        benchmark:
            TIMES_OF_TRAINING
        wildcard_constraints:
            experiment=experiment,
            job="|".join(sorted(alone)),
        # Below all else (0), so that verdicts come early; the longest first, so that none is left over
        # at the end while cores have nothing else to do.
        priority: place_in_the_queue
        conda:
            "../../envs/train.yaml"
        threads: 1
        resources:
            mem_mb=partial(memory, ASKED[experiment]),
            runtime=partial(time_limit, ASKED[experiment]),
        params:
            identity=lambda wildcards: job_of(wildcards).identity(),
        message:
            "Train {wildcards.experiment}: {wildcards.job}"
        script:
            "../../scripts/train.py"


# With `replicates_per_job` alike jobs train together: one rule for each such batch.
for experiment, number, batch in TOGETHER:
    asked = cost.together(JOBS[experiment][job] for job in batch)

    rule:
        name:
            f"train_{experiment}_together_{number}"
        output:
            expand(TRAINED, experiment=experiment, job=batch),
            [
                path
                for job in batch
                for path in expand(
                    weights_of(experiment), experiment=experiment, job=job
                )
            ],
        log:
            expand(LOG_OF_TRAINING, experiment=experiment, job=batch),
        benchmark:
            f"{RESULTS}/benchmarks/train/{experiment}/together_{number}.tsv"
        priority: place_of(experiment, JOBS[experiment][batch[0]])
        conda:
            "../../envs/train.yaml"
        threads: 1
        resources:
            mem_mb=partial(memory, asked),
            runtime=partial(time_limit, asked),
        params:
            identity=identities_of,
        message:
            f"Train {len(batch)} jobs of {experiment} together"
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
