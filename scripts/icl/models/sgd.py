"""Plain SGD, in place, by the products that would have made the gradients."""

import numpy as np
import torch

from icl.kernels import products


class Descent:
    """Plain SGD on a group of parameters: p becomes `keep` p - `rate` times its gradient."""

    def __init__(self, rate: float, decay: float):
        self.rate, self.keep = rate, 1 - rate * decay

    @property
    def numbers(self) -> tuple[np.float32, np.float32]:
        """Return keep and rate, as compiled loops take them."""
        return np.float32(self.keep), np.float32(self.rate)

    def product(self, p: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
        """Train p by the gradient left @ right, which is never formed."""
        update = p.addmm_ if p.ndim == 2 else p.baddbmm_
        update(left, right, beta=self.keep, alpha=-self.rate)

    def hidden_product(self, p: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
        """Train a hidden layer's matrix likewise, at the precision of the step."""
        products.add_product(p, left, right, beta=self.keep, alpha=-self.rate)

    def add(self, p: torch.Tensor, gradient: torch.Tensor) -> None:
        """Train p by a gradient."""
        p.mul_(self.keep).add_(gradient, alpha=-self.rate)

    def query_and_key(
        self, query: torch.Tensor, key: torch.Tensor, gradient: torch.Tensor, of_key: torch.Tensor
    ) -> None:
        """Train Q and K by the gradient G of Q^T K: that of Q is K G^T, that of K is Q G."""
        torch.matmul(query, gradient, out=of_key)
        self.product(query, key, gradient.mT)
        self.add(key, of_key)
