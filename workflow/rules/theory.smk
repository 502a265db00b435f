# Theory: what the paper's equations predict, with no training.


rule predict:
    input:
        code=code_of("predict.py"),
    output:
        PREDICTED,
    log:
        f"{RESULTS}/logs/predict/{{theory}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict/{{theory}}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        values=lambda wildcards: config["theory"][wildcards.theory],
        preset=config["preset"],
    message:
        "Evaluate the theory: {wildcards.theory}"
    script:
        "../../scripts/predict.py"
