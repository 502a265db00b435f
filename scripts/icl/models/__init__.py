"""The models: a room each, and the one list of them.

A room, `models/<name>/`, says in its `__init__` what the model can do (`ARCHITECTURE`), without
torch, for the Snakefile and the analysis read it. `network` holds pure functions over parameters
whose leading dimension is the replicate:

- `GROUPS`: parameter name -> "attention", "mlp", "beta" or "w", the group whose weight decay it
  takes, and with which it is held;
- `initialise(seeds, model)`: the parameters at step 0;
- `embed(dataset)`: the tables that the forward pass looks items up in, their `labels` among them;
- `logits(parameters, tables, sequences, model)`: the forward pass, (R, B), above 0 meaning +1;
- `item_logits(parameters, tables, index, model)`, where the MLP acts on items by themselves: its
  logits (R, B);
- `order_parameters(parameters, tables, sequences, model)`, where theory names some: each (R,);
- `substituted`, likewise, where a configuration may ask for `evaluation.substitutions`.

A room that has a faster step for a CPU keeps it in `fast`; one for a GPU, in `gpu`.
"""

from icl.models.architecture import Architecture
from icl.models.chain import ARCHITECTURE as chain
from icl.models.minimal import ARCHITECTURE as minimal
from icl.models.mlp import ARCHITECTURE as mlp
from icl.models.multi_head import ARCHITECTURE as multi_head
from icl.models.one_layer import ARCHITECTURE as one_layer
from icl.models.two_layer import ARCHITECTURE as two_layer

MODELS: dict[str, Architecture] = {
    model.name: model for model in (one_layer, multi_head, two_layer, minimal, mlp, chain)
}
