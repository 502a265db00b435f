"""The MLP alone on a GPU."""

from torch import Tensor
from torch.nn import functional

from icl.job import Job
from icl.models.gpu import MLP, Rows
from icl.models.layers import Parameters
from icl.models.mlp.network import embed
from icl.models.one_layer.network import normalise
from icl.models.sgd import Descents
from icl.task.draws import Dataset, Sequences

__all__ = ["Step", "embed", "unpack"]


class Step:
    """Forward pass, and a step of plain SGD, of R replicates on B items."""

    def __init__(self, job: Job, sgd: Descents):
        self.normalised = job.model.mlp_input == "normalised"
        self.mlp = MLP(sgd("mlp"))

    def _token(self, tables: Dataset, index: Tensor) -> tuple[Tensor, Tensor]:
        rows = Rows(tables.items, tables.items, tables.labels)
        token, labels = rows.look_up(index)
        if self.normalised:
            token = normalise(functional.pad(token, (0, 2)))
        return token, labels

    def logits(self, p: Parameters, tables: Dataset, sequences: Sequences) -> Tensor:
        """Compute logits (R, B)."""
        return self.mlp.logits(p, self._token(tables, sequences.target)[0])

    def step(self, p: Parameters, tables: Dataset, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        token, labels = self._token(tables, sequences.target)
        self.mlp.train(p, token, labels)


def unpack(tables: Dataset) -> Dataset:
    """Return the dataset."""
    return tables
