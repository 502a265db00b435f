# Claims: one verdict each, then the table of them all.


rule analyse:
    input:
        datasets=lambda wildcards: datasets_of("claims", wildcards.claim),
        code=code_of("analyse.py"),
    output:
        VERDICT,
    log:
        f"{RESULTS}/logs/analyse/{{claim}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/analyse/{{claim}}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        claim=lambda wildcards: config["claims"][wildcards.claim],
        jobs=lambda wildcards: jobs_of("claims", wildcards.claim),
        preset=config["preset"],
    message:
        "Decide the claim {wildcards.claim}"
    script:
        "../../scripts/analyse.py"


rule summarise:
    input:
        verdicts=expand(VERDICT, claim=config["claims"]),
        code=code_of("summarise.py"),
    output:
        json=f"{RESULTS}/claims.json",
        markdown=report(
            f"{RESULTS}/claims.md",
            caption="../report/claims.rst",
            category="Verdicts",
            labels={"table": "verdicts"},
        ),
    log:
        f"{RESULTS}/logs/summarise.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Summarise the verdicts"
    script:
        "../../scripts/summarise.py"
