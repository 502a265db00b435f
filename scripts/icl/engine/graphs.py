"""Training steps as one CUDA graph: its kernels are launched together, not one by one."""

from collections.abc import Callable

import torch

WARM_UP = 2  # steps done one kernel at a time, in which kernels are compiled and memory is taken


class Graph:
    """A step of training, captured once and replayed.

    The step's number lives on the device, where each replay adds one to it.
    """

    def __init__(self, step: Callable[[torch.Tensor], None], device: torch.device):
        self.step = step
        self.next: int | None = None  # what `number` holds, if anything
        self.number = torch.zeros(1, dtype=torch.int64, device=device)
        self.forget()

    def forget(self) -> None:
        """Capture anew: tensors that the step uses have been replaced."""
        self.graph: torch.cuda.CUDAGraph | None = None
        self.left = WARM_UP

    def _run(self) -> None:
        self.step(self.number)
        self.number.add_(1)

    def __call__(self, step: int) -> None:
        """Do a step."""
        if self.next != step:
            self.number.fill_(step)
        self.next = step + 1
        if self.left:
            self.left -= 1
            self._run()
            return
        if self.graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._run()
            self.graph = graph
        self.graph.replay()
