"""The committed configuration, and claims judged as it says."""

import yaml
from checkout import ROOT
from icl import claims
from icl.experiment.validation import load_yaml
from icl.theory import datasets

CONFIG = yaml.safe_load((ROOT / "config/claims.yaml").read_text(encoding="utf-8"))
CLAIMS = CONFIG["claims"]
STUDY = yaml.safe_load((ROOT / "config/study_claims.yaml").read_text(encoding="utf-8"))["claims"]
BEYOND = yaml.safe_load((ROOT / "config/beyond_claims.yaml").read_text(encoding="utf-8"))["claims"]
LAPTOP_FILES = [ROOT / f"config/{name}.yaml" for name in ("theory", "claims", "laptop")]
SMOKE_FILES = [ROOT / f"config/{name}.yaml" for name in ("smoke", "theory", "claims")]
SMOKE = {key: value for path in SMOKE_FILES for key, value in load_yaml(path).items()}
THEORY = load_yaml(ROOT / "config/theory.yaml")["theory"]


def predicted(name, **changes):
    """A dataset of the theory at the committed parameters, but for changes."""
    return getattr(datasets, name)({**THEORY[name], **changes})


def evaluate(name, data, **options):
    claim = CLAIMS[name]
    options = {**claim["options"], **options}
    return claims.evaluate({**claim, "options": options}, name, data, "laptop").to_json()
