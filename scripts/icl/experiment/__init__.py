"""An experiment: from YAML files to checked settings, jobs and what they cost."""
