# Training: one job for each experiment, N, K and block of seeds; then one file an experiment.


rule train:
    output:
        TRAINED,
    log:
        f"{RESULTS}/logs/train/{{experiment}}/{{job}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{experiment}}/{{job}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * icl_cost.cost(job_of(wildcards)).memory_mb,
        runtime=lambda wildcards, attempt: attempt
        * icl_cost.cost(job_of(wildcards)).minutes,
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
