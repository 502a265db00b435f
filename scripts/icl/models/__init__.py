"""The models: pure functions over parameters whose leading dimension is the replicate.

Each module offers the same four names:

- `GROUPS`: parameter name -> "attention" or "mlp", the group whose weight decay it takes;
- `initialise(seeds, model)`: the parameters at step 0;
- `embed(dataset)`: the tables that the forward pass looks tokens up in;
- `logits(parameters, tables, sequences, model)`: the forward pass, (R, B), above 0 meaning +1.
"""

from types import ModuleType

from icl.models import one_layer

MODELS: dict[str, ModuleType] = {"one_layer": one_layer}
