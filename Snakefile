# The workflow is workflow/Snakefile, where Snakemake's catalogue of workflows looks for it.
include: "workflow/Snakefile"


workflow.default_target = "all"  # an included file sets none
