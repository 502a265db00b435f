"""The minimal model learns as the theory says: t_ICL against beta0, by SGD and by the flow."""

import numpy as np
import torch
from example_jobs import make_job
from icl.engine import steps
from icl.job import Optimiser, WeightDecay
from icl.models.minimal import network as minimal
from icl.task import sampling, streams
from icl.task.draws import Dataset, Sequences
from icl.task.streams import Purpose
from icl.theory.acquisition import t_icl_integrated

LENGTH, BATCH, RATE, ACCURACY = 64, 128, 0.5, 0.95
BETA0 = np.array([-0.5, 0.0, 0.5, 1.0])
SEEDS_EACH = 2


def one_copy_of_orthonormal_items(seeds, purpose, step, n_sequences):
    """Contexts that hold each of N orthonormal items once, with a label of its own drawing.

    Item j labelled +1 is j, labelled -1 is N + j; the same in every replicate.
    """
    shape = (n_sequences, LENGTH)
    coin, position = streams.integer_rows(seeds, purpose, step, shape, 2, high_last=LENGTH)
    context = torch.arange(LENGTH) + LENGTH * coin
    return Sequences(context, context.gather(-1, position[..., None]).squeeze(-1))


def accuracy(tables, seeds, beta, w):
    """ICL accuracy of the head alone on 4,000 sequences for each replicate."""
    sequences = one_copy_of_orthonormal_items(seeds, Purpose.EVALUATE_ICL, 0, 4000)
    out = []
    for r in range(len(seeds)):
        rows = slice(r, r + 1)
        part = Sequences(sequences.context[rows], sequences.target[rows])
        scalars = {"beta": beta[rows], "w": w[rows]}
        z = minimal.attention_logits(scalars, tables.select(torch.tensor([r])), part)
        correct = z * tables.labels[rows].gather(1, part.target) > 0
        out.append(correct.float().mean().item())
    return np.array(out)


def head_of(beta0):
    """A job of the head alone, one replicate for each beta0, w0 = 0: job, parameters, tables."""
    n = len(beta0)
    job = make_job(
        "minimal",
        (LENGTH, 2, LENGTH, 2 * LENGTH, BATCH, n),
        optimiser=Optimiser(RATE, BATCH, WeightDecay(0.0, 0.0)),
    )
    seeds = torch.tensor(job.seeds)
    # No MLP: where all its weights are 0, so are their gradients, but for its last bias's.
    parameters = {k: torch.zeros_like(p) for k, p in minimal.initialise(seeds, job.model).items()}
    parameters["beta"] = torch.tensor(beta0, dtype=torch.float32)
    items = torch.eye(LENGTH).repeat(2, 1).expand(n, -1, -1).contiguous()
    labels = torch.ones(n, 2 * LENGTH)
    labels[:, LENGTH:] = -1
    return job, seeds, parameters, Dataset(items, labels)


def test_t_icl_against_beta0_is_that_of_the_flow():
    """Within 10 % of the flow of eq. 5, both timed at an accuracy of 0.95."""
    beta0 = np.repeat(BETA0, SEEDS_EACH)
    expected = t_icl_integrated(BETA0, LENGTH, flow="loss", accuracy=ACCURACY)
    job, seeds, parameters, tables = head_of(beta0)
    step_once, path = steps.plain(job).step, []
    for step in range(int(1.25 * expected.max() / RATE)):
        path.append((parameters["beta"].clone(), parameters["w"].clone()))
        batch = one_copy_of_orthonormal_items(seeds, Purpose.TRAINING, step, BATCH)
        step_once(parameters, tables, batch)
    # Accuracy rises with beta, so that the first passage is found by bisection.
    low, high = np.zeros(len(beta0), dtype=int), np.full(len(beta0), len(path) - 1)
    while (high - low).max() > 1:
        middle = (low + high) // 2
        beta, w = (torch.stack([path[m][i][r] for r, m in enumerate(middle)]) for i in (0, 1))
        passed = accuracy(tables, seeds, beta, w) > ACCURACY
        low, high = np.where(passed, low, middle), np.where(passed, middle, high)
    assert (high < len(path) - 1).all()
    t_icl = (RATE * high).reshape(len(BETA0), SEEDS_EACH)
    np.testing.assert_allclose(t_icl.mean(axis=1), expected, rtol=0.1)


def test_balanced_contexts_make_the_origin_a_saddle():
    """Eq. 9: from w0 = 0, beta and w flow to where beta0 points; on free contexts w goes up."""
    job, seeds, start, tables = head_of([-0.5, 0.5])
    step_once, signs = steps.plain(job).step, {}
    for balanced in (True, False):
        parameters = {name: p.clone() for name, p in start.items()}
        for step in range(200):
            batch = one_copy_of_orthonormal_items(seeds, Purpose.TRAINING, step, BATCH)
            if balanced:
                words = streams.bits(seeds, Purpose.TRAINING, step, BATCH * LENGTH)
                coin = sampling.balanced_positions(words.view(-1, BATCH, LENGTH)).long()
                position = batch.target % LENGTH
                context = torch.arange(LENGTH) + LENGTH * coin
                target = context.gather(-1, position[..., None]).squeeze(-1)
                batch = Sequences(context, target)
            step_once(parameters, tables, batch)
        moved = (parameters["beta"] - start["beta"], parameters["w"])
        signs[balanced] = [value.sign().tolist() for value in moved]
    assert signs[True] == [[-1, 1], [-1, 1]]
    assert signs[False] == [[1, 1], [1, 1]]
