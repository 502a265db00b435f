"""The description of a model: its keys, its metrics, its size and what it can do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from icl.job import Job


@dataclass(frozen=True)
class Size:
    """The cost of one sequence to a replicate.

    Attributes:
        weights: parameters.
        operations: of a step, forwards and back.
        numbers: live in memory while it is trained on.
        tables: numbers kept for each number of an item: the item, or its tokens.
    """

    weights: int
    operations: int
    numbers: int
    tables: int


@dataclass(frozen=True)
class Architecture:
    """A model's description, free of torch.

    Attributes:
        name: of its folder, and `model.name` in a configuration.
        own_keys: keys of `model` that it needs besides name, item_dim and hidden_dim.
        size: what it costs.
        decays: groups of parameters whose weight decay may be set apart from the attention's.
        reads_context: whether it has ICL at all; if not, it is evaluated on items alone.
        order_parameters: what `evaluation.order_parameters` adds, name -> long name; none: refused.
        measures_items: whether a job measures the MLP over all its items.
        follows_theory: whether its beta and w are those of the theory's equations.
        has_fast_step: whether its room has a `fast` module, for a CPU.
    """

    name: str
    own_keys: tuple[str, ...]
    size: Callable[[Job], Size]
    decays: tuple[str, ...] = ()
    reads_context: bool = True
    order_parameters: Callable[[Job], Mapping[str, str]] | None = None
    measures_items: Callable[[Job], bool] = field(default=lambda job: False)
    follows_theory: bool = False
    has_fast_step: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys of `model` in a configuration; it needs each."""
        return ("name", "item_dim", "hidden_dim", *self.own_keys)

    @property
    def decay_groups(self) -> tuple[str, ...]:
        """The keys of `weight_decay` in a configuration."""
        return ("attention", "mlp", *self.decays)
