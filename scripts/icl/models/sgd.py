"""Plain SGD, in place, by the products that would have made the gradients."""

from collections.abc import Callable

import numpy as np
import torch

from icl.job import Job
from icl.kernels import products
from icl.kernels.products import FLOAT32, Scale, column


class Descent:
    """Plain SGD on a group of parameters: p becomes `keep` p - `rate` times its gradient.

    Both are numbers, or both tensors (R,) of a number for each replicate.
    """

    def __init__(self, rate: Scale, keep: Scale):
        self.rate, self.keep = rate, keep

    @property
    def numbers(self) -> tuple[np.float32, np.float32]:
        """Return keep and rate, as compiled loops take them."""
        return np.float32(self.keep), np.float32(self.rate)

    def product(self, p: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
        """Train p by the gradient left @ right, which is never formed."""
        products.add_product(p, left, right, self.keep, -self.rate, FLOAT32)

    def hidden_product(self, p: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
        """Train a hidden layer's matrix likewise, at the precision of the step."""
        products.add_product(p, left, right, self.keep, -self.rate)

    def add(self, p: torch.Tensor, gradient: torch.Tensor) -> None:
        """Train p by a gradient."""
        p.mul_(column(self.keep, p))
        if isinstance(self.rate, torch.Tensor):
            p.sub_(column(self.rate, p) * gradient)
        else:
            p.add_(gradient, alpha=-self.rate)

    def query_and_key(
        self, query: torch.Tensor, key: torch.Tensor, gradient: torch.Tensor, of_key: torch.Tensor
    ) -> None:
        """Train Q and K by the gradient G of Q^T K: that of Q is K G^T, that of K is Q G."""
        torch.matmul(query, gradient, out=of_key)
        self.product(query, key, gradient.mT)
        self.add(key, of_key)


Descents = Callable[[str], Descent]  # of a group of parameters


def of_job(job: Job) -> Descents:
    """Return the SGD of each group of a job's parameters."""

    def descent(group: str) -> Descent:
        rate, decay = job.optimiser.rate_of(group), job.optimiser.weight_decay.of(group)
        return Descent(rate, 1 - rate * decay)

    return descent


def of_jobs(jobs: list[Job], replicates: list[int], device: torch.device) -> Descents:
    """Return the SGD of each group of parameters of jobs that train together, job after job."""

    def each(numbers: list[Scale]) -> torch.Tensor:
        of_jobs = torch.tensor(numbers, device=device)
        return of_jobs.repeat_interleave(torch.tensor(replicates, device=device))

    def descent(group: str) -> Descent:
        alone = [of_job(job)(group) for job in jobs]
        return Descent(each([d.rate for d in alone]), each([d.keep for d in alone]))

    return descent
