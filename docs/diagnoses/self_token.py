"""Why beta alone is not enough where the target attends to itself too.

    OMP_NUM_THREADS=1 python docs/diagnoses/self_token.py     # half an hour, on one core

The order_parameters experiment of the paper's architecture, as it is, without the self token and
without the LayerNorm's affine, on two seeds of no claim, until ICL is acquired. Then
ICL accuracy on novel items with K^T Q replaced: by beta times the identity on items; by that, while
the target may not attend to itself; by that and, as trained, what K^T Q says of a label in the
context. Prints the score of the target's own token too, less that of the example with its item.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import machine, training
from icl.experiment import grid
from icl.job import Job, Stop
from icl.models.layers import Parameters, look_up, mlp
from icl.models.one_layer import network
from icl.task import draws
from icl.task.streams import Purpose

SEEDS = {"first": 60200, "count": 2}  # of no claim
N_SEQUENCES = 500


def experiment() -> Job:
    """Return the experiment on the seeds of this page, ended when ICL is acquired."""
    preset = yaml.safe_load((ROOT / "config/extended.yaml").read_text())
    own = {**preset["experiments"]["order_parameters"], "seeds": SEEDS}
    (job,) = grid.expand(preset["defaults"], own)
    plain = replace(job.evaluation, order_parameters=False, every=500)
    return replace(job, evaluation=plain, stop=Stop("acquired", 0.95, None, 2), steps=60_000)


def measure(parameters: Parameters, job: Job) -> dict[str, torch.Tensor]:
    """Measure each replacement of K^T Q, (R,)."""
    p = {name: value.double() for name, value in parameters.items()}
    dim, seeds = job.model.item_dim, torch.tensor(job.seeds)
    tables = network.embed(draws.novel_dataset(seeds, 2048, dim, job.task))
    sizes = (N_SEQUENCES, job.context_length, 2048)
    sequences = draws.draw_sequences(seeds, Purpose.EVALUATE_ICL, 0, *sizes)
    context = look_up(tables.labelled, sequences.context).double()
    target = look_up(tables.unlabelled, sequences.target).double()
    labels = tables.labels.gather(1, sequences.target)

    def accuracy(key_query: torch.Tensor, attend_to: str) -> torch.Tensor:
        identity = torch.eye(dim + 2, dtype=key_query.dtype).expand_as(key_query)
        model = replace(job.model, attend_to=attend_to)
        u = network.attention({**p, "query": key_query, "key": identity}, context, target, model)
        return (labels * mlp(p, u) > 0).double().mean(1)

    whole = p["key"].mT @ p["query"]
    beta = whole[:, :dim, :dim].diagonal(dim1=1, dim2=2).mean(1)
    of_beta = torch.zeros_like(whole)
    of_beta[:, :dim, :dim] = beta[:, None, None] * torch.eye(dim, dtype=whole.dtype)
    with_labels = of_beta.clone()
    with_labels[:, dim:] = whole[:, dim:]
    gain, bias = p.get("gain", 1.0), p.get("bias", 0.0)
    affine = job.model.layernorm_affine
    token = gain[:, None] * target + bias[:, None] if affine else target
    examples = gain[:, None, None] * context + bias[:, None, None] if affine else context
    copy = (sequences.context == sequences.target[..., None]).double()

    def own_score(key_query: torch.Tensor) -> torch.Tensor:
        asked = torch.einsum("ref,rbf->rbe", key_query, token)
        scores = torch.einsum("rbne,rbe->rbn", examples, asked)
        of_copy = (copy * scores).sum((1, 2)) / copy.sum((1, 2))
        return (token * asked).sum(-1).mean(1) - of_copy

    trained = job.model.attend_to
    return {
        "as trained": accuracy(whole, trained),
        "beta": accuracy(of_beta, trained),
        "beta, no self": accuracy(of_beta, "context"),
        "beta, labels": accuracy(with_labels, trained),
        "own score": own_score(whole),
        "own score of beta": own_score(of_beta),
    }


def main() -> None:
    """Train each architecture and print a row of it."""
    machine.prepare(1)
    job = experiment()
    for attend_to, affine in (
        ("context_and_self", True),
        ("context_and_self", False),
        ("context", True),
    ):
        model = replace(job.model, attend_to=attend_to, layernorm_affine=affine)
        own = replace(job, model=model)
        run = training.train(own, weights_at=["end"])
        weights = {k: torch.as_tensor(v) for k, v in run.weights["end"].items()}
        text = ", ".join(
            f"{name} {' '.join(f'{x:.3f}' for x in values)}"
            for name, values in measure(weights, own).items()
        )
        print(f"{attend_to}, {'affine' if affine else 'no affine'}: {text}", flush=True)


if __name__ == "__main__":
    main()
