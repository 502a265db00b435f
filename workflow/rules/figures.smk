# Figures: each from the datasets of its roles and the verdicts that it quotes. A rule each, for a
# caption cannot depend on a wildcard.
for figure in drawable():

    rule:
        name:
            f"draw_{figure}"
        input:
            datasets=datasets_of("figures", figure),
            verdicts=expand(VERDICT, claim=config["figures"][figure]["claims"]),
            code=code_of("draw.py"),
        output:
            pdf=f"{RESULTS}/figures/{figure}.pdf",
            png=report(
                f"{RESULTS}/figures/{figure}.png",
                caption=str(DESCRIBED / f"{figure}.rst"),
                category="Figures",
                labels={"figure": figure, "title": config["figures"][figure]["title"]},
            ),
        log:
            f"{RESULTS}/logs/draw/{figure}.log",
        benchmark:
            f"{RESULTS}/benchmarks/draw/{figure}.tsv"
        localrule: True
        conda:
            "../../envs/figures.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            id=figure,
            figure=config["figures"][figure],
            jobs=jobs_of("figures", figure),
            preset=config["preset"],
        message:
            f"Draw {figure}"
        script:
            "../../scripts/draw.py"
