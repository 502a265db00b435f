"""The models: pure functions over parameters whose leading dimension is the replicate.

Each module offers the same four names:

- `GROUPS`: parameter name -> "attention", "mlp", "beta" or "w", the group whose weight decay it
  takes;
- `initialise(seeds, model)`: the parameters at step 0;
- `embed(dataset)`: the tables that the forward pass looks items up in, their `labels` among them;
- `logits(parameters, tables, sequences, model)`: the forward pass, (R, B), above 0 meaning +1.

Where an MLP acts on an item by itself, as the theory has it, the module offers a fifth:

- `item_logits(parameters, tables, index, model)`: its logits on items of the tables, (R, B).
"""

from types import ModuleType

from icl.models import minimal, mlp, one_layer, two_layer

MODELS: dict[str, ModuleType] = {
    "one_layer": one_layer,
    "two_layer": two_layer,
    "minimal": minimal,
    "mlp": mlp,
}
