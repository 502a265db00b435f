"""Several heads: with one it is the one-layer model."""

from dataclasses import replace

import example_jobs
import numpy as np
from icl.engine import training
from icl.job import Model


def test_one_head_is_the_one_layer_model_to_the_bit():
    job = example_jobs.job()
    same = Model(
        "multi_head", job.model.item_dim, job.model.hidden_dim, job.model.attend_to, heads=1
    )
    of_one, of_single = (training.train(replace(job, model=of)) for of in (job.model, same))
    for name, values in of_one.metrics.items():
        np.testing.assert_array_equal(of_single.metrics[name], values)
