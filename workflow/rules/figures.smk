# Figures: each from the collected data and the verdicts that it quotes.


rule draw:
    input:
        datasets=inputs_of("figure"),
        verdicts=verdicts_of,
    output:
        pdf=f"{FIGURE}.pdf",
        png=report(f"{FIGURE}.png", caption="../report/{figure}.rst", category="Figures"),
    log:
        f"{RESULTS}/logs/draw/{{figure}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw/{{figure}}.tsv"
    conda:
        "../../envs/figures.yaml"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        figure=lambda wildcards: config["figures"][wildcards.figure],
        jobs=jobs_of("figure"),
        preset=config["preset"],
    message:
        "Draw {wildcards.figure}"
    script:
        "../../scripts/draw.py"
