"""The description of a model: its keys, its metrics, its size and what it can do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from icl.job import Job


@dataclass(frozen=True)
class Size:
    """The cost of one sequence to a replicate."""

    weights: int  # parameters
    operations: int  # of a step, forwards and back
    numbers: int  # live in memory while it is trained on
    tables: int  # numbers kept for each number of an item: the item, or its tokens


@dataclass(frozen=True)
class Architecture:
    """A model's description, free of torch."""

    name: str  # of its folder, and `model.name` in a configuration
    own_keys: tuple[str, ...]  # of `model`, besides name, item_dim and hidden_dim
    size: Callable[[Job], Size]
    optional_keys: tuple[str, ...] = ()  # likewise, that it does without
    decays: tuple[str, ...] = ()  # groups whose weight decay may be set apart from the attention's
    reads_context: bool = True  # if not, it has no ICL, and is evaluated on items alone
    reads_order: bool = False  # the place of a token in the context tells it something
    # What `network.order_parameters` adds, name -> long name; None: a configuration may not ask.
    order_parameters: Callable[[Job], Mapping[str, str]] | None = None
    # Of `evaluation.substitutions`, word -> long name of the metric `icl_of_<word>`.
    substitutions: Mapping[str, str] = field(default_factory=dict)
    measures_items: Callable[[Job], bool] = lambda job: False  # the MLP over all its items
    follows_theory: bool = False  # its beta and w are those of the theory's equations
    has_fast_step: bool = False  # its room has a `fast` module, for a CPU
    has_gpu_step: bool = False  # its room has a `gpu` module

    @property
    def needed_keys(self) -> tuple[str, ...]:
        """The keys of `model` in a configuration that must be given."""
        return ("name", "item_dim", "hidden_dim", *self.own_keys)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of `model` in a configuration that may be given."""
        return (*self.needed_keys, *self.optional_keys)

    @property
    def decay_groups(self) -> tuple[str, ...]:
        """The keys of `weight_decay` in a configuration."""
        return ("attention", "mlp", *self.decays)

    @property
    def groups(self) -> tuple[str, ...]:
        """The values of its network's `GROUPS`: what a configuration may hold."""
        attention = ("attention",) if self.reads_context else ()
        return (*(self.decays or attention), "mlp")
