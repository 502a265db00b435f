# Targets beside `all`: every figure, every claim, and each of them by name.


rule figures:
    input:
        expand(FIGURES, figure=drawable(), kind=["pdf", "png"]),


rule claims:
    input:
        rules.summarise.output,


rule collected:
    input:
        expand(COLLECTED, experiment=JOBS),


for claim in config["claims"]:

    rule:
        name:
            f"claim_{claim}"
        input:
            expand(VERDICT, claim=claim),


for figure in drawable():

    rule:
        name:
            figure_target(figure)
        input:
            expand(FIGURES, figure=figure, kind=["pdf", "png"]),
