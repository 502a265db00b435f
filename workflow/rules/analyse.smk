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
        halves=config.get("halves", False),
    message:
        "Decide the claim {wildcards.claim}"
    script:
        "../../scripts/analyse.py"


# How often fresh runs of the same design would repeat each verdict; asked for by name alone.
POWER = f"{RESULTS}/power/{{claim}}.json"


rule summarise:
    input:
        verdicts=expand(VERDICT, claim=config["claims"]),
        powers=[
            path
            for path in expand(POWER, claim=config["claims"])
            if os.path.exists(path)
        ],
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
    params:
        about=ABOUT,
    message:
        "Summarise the verdicts"
    script:
        "../../scripts/summarise.py"


rule redraw:
    input:
        datasets=lambda wildcards: datasets_of("claims", wildcards.claim),
        code=code_of("redraw.py"),
    output:
        POWER,
    log:
        f"{RESULTS}/logs/redraw/{{claim}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/redraw/{{claim}}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        claim=lambda wildcards: config["claims"][wildcards.claim],
        jobs=lambda wildcards: jobs_of("claims", wildcards.claim),
        preset=config["preset"],
        runs=60,
    message:
        "Draw fresh runs of the claim {wildcards.claim}"
    script:
        "../../scripts/redraw.py"


rule power:
    input:
        powers=expand(POWER, claim=config["claims"]),
        code=code_of("power.py"),
    output:
        f"{RESULTS}/power.md",
    log:
        f"{RESULTS}/logs/power.log",
    benchmark:
        f"{RESULTS}/benchmarks/power.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "How often each verdict would be repeated: {output}"
    script:
        "../../scripts/power.py"
