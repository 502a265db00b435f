# The report: Snakemake's own, on its first page verdicts and figures with their numbers filled in.


report: str(DESCRIBED / "front.rst")


rule describe:
    input:
        datasets=expand(COLLECTED, experiment=filter(has_data, JOBS))
        + expand(PREDICTED, theory=config["theory"]),
        verdicts=rules.summarise.output.json,
        pictures=expand(FIGURES, figure=drawable(), kind="png"),
        templates=[
            from_here(path) for path in sorted((ROOT / "workflow/report").iterdir())
        ],
        configuration=SOURCES.paths,
        code=code_of("describe.py"),
    output:
        page=f"{RESULTS}/report/front.html",
        front=f"{RESULTS}/report/front.rst",
        captions=expand(f"{RESULTS}/report/{{figure}}.rst", figure=drawable()),
        config=f"{RESULTS}/report/config.json",
    log:
        f"{RESULTS}/logs/describe.log",
    benchmark:
        f"{RESULTS}/benchmarks/describe.tsv"
    localrule: True
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        preset=config["preset"],
        about=ABOUT,
        claims=config["claims"],
        figures={figure: config["figures"][figure] for figure in drawable()},
        jobs={experiment: sorted(JOBS[experiment]) for experiment in JOBS},
        templates=str(ROOT / "workflow/report"),
        benchmarks=f"{RESULTS}/benchmarks",
        explorer="explorer.html",
        checkout=os.path.relpath(ROOT, RESULTS),
    message:
        "Describe every figure and verdict"
    script:
        "../../scripts/describe.py"


rule explore:
    input:
        datasets=expand(COLLECTED, experiment=filter(has_data, JOBS)),
        verdicts=rules.summarise.output.json,
        parts=[
            from_here(ROOT / f"workflow/report/explorer.{kind}")
            for kind in ("html", "css", "js")
        ],
        code=code_of("explore.py"),
    output:
        f"{RESULTS}/explorer.html",
    log:
        f"{RESULTS}/logs/explore.log",
    benchmark:
        f"{RESULTS}/benchmarks/explore.tsv"
    localrule: True
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        jobs={experiment: sorted(JOBS[experiment]) for experiment in JOBS},
        size=config.get("name", config["preset"]),
    message:
        f"Write the explorer: open {RESULTS}/explorer.html"
    script:
        "../../scripts/explore.py"


rule report:
    input:
        made=rules.summarise.output
        + expand(FIGURES, figure=drawable(), kind=["pdf", "png"]),
        page=rules.describe.output.page,
        explorer=rules.explore.output,
        config=rules.describe.output.config,
        style=from_here(ROOT / "workflow/report/style.css"),
        script=from_here(ROOT / "workflow/report/report.js"),
        metadata=from_here(ROOT / "workflow/report/metadata.yaml"),
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    localrule: True
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        python=sys.executable,
        snakefile=str(from_here(ROOT / "Snakefile")),
    message:
        f"Write the report: open {RESULTS}/report.html"
    script:
        "../../scripts/write_report.py"


# All that a fresh clone needs to draw the figures, but nothing of training.
rule archive:
    input:
        results=rules.report.input.made
        + expand(COLLECTED, experiment=filter(has_data, JOBS))
        + expand(PREDICTED, theory=config["theory"])
        + expand(VERDICT, claim=config["claims"])
        + rules.explore.output
        + rules.report.output,
        config=rules.describe.output.config,
        configuration=SOURCES.paths,
        workflow=from_here(ROOT / "workflow/Snakefile"),
        citation=from_here(ROOT / "CITATION.cff"),
        code=code_of("archive.py"),
    output:
        f"{RESULTS}/archive.zip",
    log:
        f"{RESULTS}/logs/archive.log",
    benchmark:
        f"{RESULTS}/benchmarks/archive.tsv"
    localrule: True
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        size=config.get("name", config["preset"]),
    message:
        f"Pack the archive: {RESULTS}/archive.zip"
    script:
        "../../scripts/archive.py"
