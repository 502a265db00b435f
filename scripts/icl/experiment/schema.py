"""Every key of a configuration: its type, its bounds, what is allowed and what it is for.

The configuration is closed: what is not here is refused. A description says what is allowed, and
ends the message of an error, so it is a phrase. A meaning says what the key is for. The tables of
config/README.md and config/schema.json, for editors, are made of both (`make docs`).
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from icl.experiment.yaml_files import CLAIMS_FILE
from icl.models import MODELS

ABSENT: Any = None  # of a key that may be left out and is described by its type
BILLION, WORD = 10**9, 2**32 - 1
NAME = r"^[a-z][a-z0-9_]{0,39}$"


class Keys(BaseModel):
    """A mapping with these keys and no others; nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def key(allowed: str, meaning: str | None = None, *, required: bool = False, **bounds: Any) -> Any:
    """Describe a key. One that is not required has no default here: it is left out."""
    if meaning:
        bounds["json_schema_extra"] = {"meaning": meaning}
    return Field(default=... if required else None, description=allowed, **bounds)


def words(*names: str) -> str:
    """List names as a sentence does."""
    return f"{', '.join(names[:-1])} or {names[-1]}"


def number(low: float, high: float, meaning: str | None = None, allowed: str = "", **more: Any):
    """Describe a number within bounds."""
    return key(allowed or f"a number from {low:g} to {high:g}", meaning, ge=low, le=high, **more)


def integer(low: int, high: int, meaning: str | None = None, allowed: str = "", **more: Any):
    """Describe an integer within bounds."""
    return key(allowed or f"an integer from {low} to {high}", meaning, ge=low, le=high, **more)


Name = Annotated[
    str,
    Field(pattern=NAME, description="a name of small letters, digits and underscores, at most 40"),
]
Text = Annotated[str, Field(min_length=1, description="text")]


def _unlike(values: list) -> list:
    if len(set(values)) < len(values):
        raise ValueError("an entry is given twice")
    return values


Names = Annotated[list[Text], AfterValidator(_unlike)]
Moments = Annotated[
    list[
        Annotated[
            Annotated[int, Field(ge=0, le=WORD)] | Literal["end"],
            Field(description="a step, 0 or more, or end"),
        ]
    ],
    Field(min_length=1),
    AfterValidator(_unlike),
]
Accuracy = Annotated[
    float, Field(ge=0.5, lt=1, description="an accuracy from 0.5, which is chance, to below 1")
]
Share = Annotated[float, Field(gt=0, le=1, description="a share above 0, at most 1")]
Shares = Annotated[
    list[Annotated[float, Field(ge=0, le=1, description="a share from 0 to 1")]],
    Field(min_length=2, max_length=2, description="two shares from 0 to 1, the lowest first"),
]
Factor = Annotated[float, Field(gt=1, description="a factor above 1")]
SmallC1 = Annotated[float, Field(gt=0, lt=0.5, description="a value of c1 between 0 and 0.5")]


def at_least(low: int) -> Any:
    """Describe a whole number without an upper bound."""
    return key(f"a whole number, {low} or more", ge=low)


# --- An experiment's settings -------------------------------------------------------------------


class Normal(Keys):
    mean: float = number(-80, 80, required=True)
    sd: float = number(0, 80, required=True)


NORMAL = "a mapping {mean, sd}; fixed where sd is 0"


class Model(Keys):
    name: Literal[tuple(MODELS)] = key(  # type: ignore[valid-type]  # mypy wants words in full
        words(*MODELS),
        "which model: the one-layer transformer of eq. 1, the same with several heads, the "
        "two-layer one of Figure A.5, the minimal model of eq. 3, the MLP alone, or the chain "
        "between them (docs/models.md)",
    )
    item_dim: int = integer(
        1, 65536, "dimension of an item (section 3.1)", "D, an integer from 1 to 65536"
    )
    hidden_dim: int = integer(
        1, 65536, "width of the MLP (section 3.1)", "d, an integer from 1 to 65536"
    )
    attend_to: Literal["context", "context_and_self"] = key(
        "context or context_and_self",
        "transformers: whether the attention's sum runs over the N context tokens (eq. 3) or over "
        "the target too (eq. 1); a choice where the paper's equations differ",
    )
    layernorm_affine: bool = key(
        "true or false",
        "transformers: whether LayerNorm has a learnable affine, decayed with the attention; the "
        "paper is silent",
    )
    initial_beta: Normal = key(
        NORMAL, "minimal model: beta at step 0, normal over seeds (section 3.5)"
    )
    initial_w: Normal = key(NORMAL, "minimal model: w at step 0, normal over seeds (section 3.5)")
    beta_shift: float = number(
        -10,
        10,
        "one_layer and chain: added to beta, the mean of the diagonal of K^T Q on items, before "
        "the first step, by adding a multiple of K to Q; if absent: 0",
    )
    mlp_input: Literal["raw", "normalised"] = key(
        "raw or normalised",
        "MLP alone: the item as the minimal model takes it, or LayerNorm of it with an empty label "
        "as a transformer does; the paper is silent",
    )
    heads: int = integer(1, 64, "multi_head: how many heads, each with a Q, K and V of its own")


class Task(Keys):
    item_labels: Literal["random", "balanced"] = key(
        "random or balanced",
        "a fair coin for each item (section 2), or half of the items each (the authors' release)",
    )
    redrawn_items: int = integer(
        2,
        WORD,
        "size of the dataset that K = infinity redraws, and of that on which IWL is measured "
        "there; the paper is silent",
    )
    context_labels: Literal["random", "balanced"] = key(
        "random (D) or balanced (D')",
        "D, or D' with exactly N/2 of each label, N even (section 4); if absent: random",
    )
    zipf_exponent: float = number(
        0,
        10,
        "alpha: item k is drawn as k^-alpha (section 3.6); finite K and random context labels "
        "only; if absent: 0, uniform",
    )
    copies: int = integer(
        1,
        65536,
        "how many tokens of a training context are the target's item; random context labels, and "
        "redraw: step where K is infinite; at most N; if absent: 1",
    )
    label_noise: float = number(
        0,
        0.5,
        "probability that a token of a training context carries the other label, which the target "
        "shares with its copy; finite K and random context labels only; if absent: 0",
    )
    redraw: Literal["step", "sequence"] = key(
        "step or sequence",
        "K = infinity redraws its dataset at every step (section 4), or the items of every "
        "sequence (the authors' release); if absent: step",
    )


class WeightDecay(Keys):
    attention: float = number(0, 1, "of Q, K, V and the affine, or of beta and w")
    mlp: float = number(0, 1, "of every MLP")
    beta: float = number(0, 1, "minimal model: of beta, in place of attention's")
    w: float = number(0, 1, "minimal model: of w, in place of attention's (section 3.7)")


STEP = "the step from which on it does not change; below the run's steps"


class Frozen(Keys):
    from_: int = integer(0, WORD, STEP, required=True, alias="from")


class Clamped(Frozen):
    at: float = number(-80, 80, "the value that it takes at that step; if absent: the one it has")


FROZEN = "a mapping {from}, the number of steps after which it is frozen; 0: never trained"
CLAMPED = f"{FROZEN}; or {{from, at}}, a value that it takes then and keeps"


class Hold(Keys):
    attention: Frozen = key(
        FROZEN, "Q, K, V and the affine; not of the minimal model or of the MLP alone"
    )
    mlp: Frozen = key(FROZEN, "every MLP")
    beta: Clamped = key(CLAMPED, "minimal model: beta")
    w: Clamped = key(CLAMPED, "minimal model: w")


class Optimiser(Keys):
    method: Literal["sgd", "adam"] = key(
        "sgd or adam",
        "plain SGD (section 3.1), or Adam with its usual constants, 0.9, 0.999 and 1e-8; if "
        "absent: sgd",
    )
    precision: Literal["float32", "tf32x3", "tf32", "bfloat16x3", "bfloat16"] = key(
        "float32, tf32x3, tf32, bfloat16x3 or bfloat16",
        "how the factors of products with the MLP's hidden layers are rounded in training, which "
        "a processor with units for such matrices does faster (docs/performance.md); if absent: "
        "float32",
    )
    learning_rate: float = key(
        "a number above 0 and at most 1000",
        "of the optimiser; times steps, it is the theory's time",
        gt=0,
        le=1000,
    )
    mlp_learning_rate: float = key(
        "a number above 0 and at most 1000",
        "of every MLP, in place of learning_rate, which stays the clock of the theory's time",
        gt=0,
        le=1000,
    )
    batch_size: int = integer(1, 1048576, "sequences of a step (section 3.1)")
    weight_decay: WeightDecay = key("a mapping")
    hold: Hold = key("a mapping")


class Sequences(Keys):
    icl: int = integer(1, 1000000, "sequences of an ICL evaluation")
    iwl: int = integer(1, 1000000, "sequences of an IWL evaluation")
    train: int = integer(1, 1000000, "sequences of an evaluation of the training loss")


class Evaluation(Keys):
    schedule: Literal["linear", "geometric"] = key(
        "linear or geometric",
        "linear: every so many steps; geometric: from that step on, so many to a factor of ten",
    )
    every: int = integer(
        1, WORD, "steps between evaluations, or the first one's; at most the run's steps"
    )
    per_decade: int = integer(1, 1000, "geometric: evaluations to a factor of ten")
    sequences: Sequences = key("a mapping")
    novel_items: int = integer(
        2, WORD, "size of D_test, from which ICL evaluations draw; the paper is silent"
    )
    order_parameters: bool = key(
        "true or false",
        "whether to record beta, w and what goes with them (docs/models.md); one_layer and minimal "
        "only; if absent: false",
    )
    substitutions: Annotated[list[Literal["uniform", "vote"]], AfterValidator(_unlike)] = key(
        "a list of uniform and vote",
        "one_layer only: ICL accuracy with all attention weights alike (uniform), and that of the "
        "sign of sum_j a_j l_j (vote); if absent: none",
    )


class Stop(Keys):
    when: Literal["never", "acquired", "memorised", "decided"] = key(
        "never, acquired, memorised or decided (acquired or memorised)",
        "when a replicate leaves before its last step: never; once it acquired ICL; once it "
        "memorised; or either",
    )
    icl_accuracy: float = key(
        "a number from 0.5 to below 1", "acquired: ICL accuracy above this", ge=0.5, lt=1
    )
    iwl_accuracy: float = number(0.5, 1, "memorised: IWL accuracy of at least this")
    c1: float = key(
        "a number between 0 and 0.5",
        "memorised, of the MLP alone: c1 of at most this",
        gt=0,
        lt=0.5,
    )
    confirmations: int = integer(1, 1000, "evaluations in a row that must agree")


class Seeds(Keys):
    first: int = integer(
        0,
        BILLION,
        "the first seed; a seed is the same replicate at every N and K",
        "an integer from 0 to 10^9",
    )
    count: int = integer(1, 100000, "replicates of each N and K")
    per_start: int = integer(
        1,
        100000,
        "how many seeds in a row start from the same weights, each on data of its own; counted "
        "from seed 0, so `first` is best a multiple of it; if absent: 1",
    )


class Settings(Keys):
    model: Model = key("a mapping")
    task: Task = key("a mapping")
    optimiser: Optimiser = key("a mapping")
    evaluation: Evaluation = key("a mapping")
    stop: Stop = key("a mapping")
    seeds: Seeds = key("a mapping")
    steps: int = integer(1, WORD, "SGD steps of a run")
    block_size: int = integer(
        1,
        100000,
        "replicates of a job. Part of its identity: to add replicates without redoing any, add "
        "whole blocks",
    )


class Range(Keys):
    from_: int = integer(2, WORD, required=True, alias="from")
    to: int = integer(2, WORD, required=True)
    count: int = integer(2, 1000, required=True)
    spacing: Literal["linear", "logarithmic"] = key("linear or logarithmic", required=True)


def _kind(value: Any) -> str:
    """Name the kind of an entry of n_items or context_length by its type."""
    kinds = {list: "a list", dict: "a range", str: "a word"}
    return next((kind for of, kind in kinds.items() if isinstance(value, of)), "a number")


One = TypeVar("One")
OneOrList = Annotated[
    Annotated[One, Tag("one")] | Annotated[list[One], Field(min_length=1), Tag("a list")],
    Discriminator(lambda value: "a list" if isinstance(value, list) else "one"),
]
LENGTH = "N, an integer from 1 to 1000000"
ITEMS = f"K: an integer from 2 to {WORD}, infinity, "
Length = Annotated[int, Field(ge=1, le=1000000, description=LENGTH)]
Items = Annotated[
    Annotated[int, Field(ge=2, le=WORD), Tag("a number")]
    | Annotated[Literal["infinity"], Tag("a word")]
    | Annotated[Range, Tag("a range")]
    | Annotated[Literal["infinity"], Tag("a list")],
    Discriminator(_kind),
    Field(description=f"{ITEMS}or a range {{from, to, count, spacing}}"),
]


class Entry(Settings):
    context_length: OneOrList[Length] = key(
        f"{LENGTH}, or a list of them", "tokens in the context", required=True
    )
    n_items: OneOrList[Items] = key(
        f"{ITEMS}a range {{from, to, count, spacing}}, or a list of these",
        "items of the dataset; at infinity nothing can be memorised",
        required=True,
    )


ENTRY = "a mapping with context_length, n_items and whatever differs there"


class Experiment(Settings):
    description: str = key("a sentence", "what the experiment is for", required=True)
    grid: list[Annotated[Entry, Field(description=ENTRY)]] = key(
        "a list of mappings with context_length, n_items and whatever differs there",
        "entries of N and K, and any of the settings above where they differ there",
        required=True,
        min_length=1,
    )


# --- Theory -------------------------------------------------------------------------------------


Signed = Annotated[float, Field(ge=-80, le=80, description="a number from -80 to 80")]
Positive = Annotated[float, Field(ge=1e-6, le=1e12, description="a number from 10^-6 to 10^12")]
Points = Annotated[int, Field(ge=10, le=100000, description="an integer from 10 to 10^5")]
AtLeast2 = Annotated[int, Field(ge=2, le=BILLION, description="an integer from 2 to 10^9")]
PAIR = "two numbers from -80 to 80, [low, high]"
Pair = Annotated[list[Signed], Field(min_length=2, max_length=2, description=PAIR)]


class Kinetics(Keys):
    context_length: AtLeast2
    beta0: Signed
    weight_decay: float = number(0, 1, required=True)
    n_items: list[AtLeast2] = key("a list of integers from 2 to 10^9", required=True, min_length=1)
    memorisation_exponent: Positive
    critical_n_items: AtLeast2
    logit_spread: Positive
    growth_exponent: Positive
    capacity_i_infinity: Positive
    time_max: Positive
    n_times: Points


class Landscape(Keys):
    # Even, for D'
    context_length: int = integer(
        2, BILLION, None, "an even integer from 2 to 10^9", required=True, multiple_of=2
    )
    beta_range: Pair
    w_range: Pair
    n_grid: int = integer(10, 2000, required=True)
    starts: list[Pair] = key("a list of pairs [beta0, w0]", required=True, min_length=1)
    time_max: Positive
    n_times: Points


class InitialConditions(Keys):
    context_length: AtLeast2
    beta0_range: Pair
    n_beta0: Points
    near_origin_fit: Pair
    nullcline_fit: Pair
    beta0_mean: Signed
    beta0_sd: Positive
    n_samples: Points
    n_bins: Points
    seed: int = integer(0, BILLION, None, "an integer from 0 to 10^9", required=True)


class Theory(Keys):
    kinetics: Kinetics = key("a mapping", required=True)
    landscape: Landscape = key("a mapping", required=True)
    initial_conditions: InitialConditions = key("a mapping", required=True)


# --- Claims and figures -------------------------------------------------------------------------


class Options(Keys):
    """The options of all statistics: those that share a name share a meaning."""

    response: Literal["final_accuracy", "fraction_acquired"] = key(
        "final_accuracy or fraction_acquired"
    )
    acquired_above: Accuracy = ABSENT
    floor: Accuracy = ABSENT
    ceiling: list[
        Annotated[float, Field(gt=0.5, le=1, description="an accuracy above 0.5, at most 1")]
    ] = key(
        "two accuracies above the floor, the range of the fitted upper plateau",
        min_length=2,
        max_length=2,
    )
    resolution: Share = ABSENT
    from_: Accuracy = Field(ABSENT, alias="from")
    to: Accuracy = ABSENT
    threshold: Accuracy = ABSENT
    finest_spacing: Share = ABSENT
    confidence: float = number(0.5, 0.999, None, "a level of confidence from 0.5 to 0.999")
    resamples: int = integer(200, 100000, None, "a whole number from 200 to 100000")
    seed: int = at_least(0)
    least_replicates: int = at_least(2)
    had: Accuracy = ABSENT
    lost: Accuracy = ABSENT
    negligible_decay: float = number(0, 1.0e-6, None, "a number from 0 to 1.0e-6")
    least_seeds_alone: int = at_least(2)
    least_unstopped: int = at_least(3)
    near_threshold: Shares = ABSENT
    intermediate: Shares = ABSENT
    surely: Share = ABSENT
    acquiring: Share = ABSENT
    shortest: int = at_least(2)
    nearest: float = key("a distance of beta0 from 0, above 0", gt=0)
    faded_below: Accuracy = ABSENT
    accuracy: Accuracy = ABSENT
    close: Share = ABSENT
    least_fall: Share = ABSENT
    c1: SmallC1 = ABSENT
    c1_range: list[SmallC1] = key(
        "two values of c1 between 0 and 0.5, the lowest first", min_length=2, max_length=2
    )
    memorised: SmallC1 = ABSENT
    small_loss: float = key(
        "a loss above 0 nat, at most 0.1, where equation 16 may be used", gt=0, le=0.1
    )
    multiples: list[Annotated[float, Field(gt=0, description="a multiple of K* above 0")]] = key(
        "a list of multiples of K*", min_length=1
    )
    lasting: Factor = ABSENT
    window: Factor = ABSENT
    w_faded: float = key("a value of w above 0", gt=0)
    least_evaluations: int = at_least(1)
    diversity: list[Annotated[float, Field(gt=0, description="a number of items")]] = key(
        "a list of numbers of items, one for each N in its order", min_length=1
    )
    scale: float = key("a factor above 0", gt=0)
    least_cells: int = at_least(2)


Limit = Annotated[float | None, Field(description="a number, or null for no limit")]


class Criterion(Keys):
    quantity: Text
    description: Text
    band: list[Limit] = key(
        "two entries, the lowest and the highest allowed value, null for no limit",
        required=True,
        min_length=2,
        max_length=2,
    )
    presets: Names = key(
        "a list of presets that the criterion applies to; leave it out for all", min_length=1
    )


class Claim(Keys):
    title: Text = key(
        "text", "a few words that name it on the report's first screen; if absent: its id"
    )
    docs: list[
        Annotated[
            str,
            Field(
                pattern=r"^[a-z_/-]+\.md(#[a-z0-9_-]+)?$",
                description="a page of docs/, perhaps with a heading: physics.md#the-race",
            ),
        ]
    ] = key("a list of pages of docs/", "where it is explained; the report links them")
    statement: Text = key("text", "what the paper claims", required=True)
    source: Text = key("text", "where in the paper", required=True)
    paper_value: float | str | None = key(
        "the paper's own number, its words, or null", "what the paper has for it", required=True
    )
    statistic: Text = key(
        "text", "what measures it, a function of scripts/icl/measurements/", required=True
    )
    experiments: dict[str, Text] = key(
        "for each role that the statistic has, the experiment that plays it",
        "the data that it is measured on",
        required=True,
    )
    options: Options = key(
        "the statistic's options, all of them",
        "how it is measured; with the criteria part of the digest of bands and options",
        required=True,
    )
    tries: int = key(
        "a whole number, 1 or more",
        "how many complete runs of this size, each on other seeds or another grid, have judged it, "
        "if those before did not reproduce it (docs/regime.md); shown beside the verdict, and part "
        "of no digest; if absent: 1",
        ge=1,
    )
    criteria: list[Criterion] = key(
        "one criterion or more, each of a quantity that the statistic measures",
        "what decides it",
        required=True,
        min_length=1,
    )


class Figure(Keys):
    title: Text
    experiments: dict[Name, Text] = key(
        "for each role that the figure has, the experiment that plays it",
        required=True,
        min_length=1,
    )
    claims: Names = key("a list of ids of claims", required=True)


FigureName = Annotated[
    str,
    Field(
        pattern=r"^fig[AB]?[0-9]{1,2}$",
        description="fig and a number, figA and a number for the appendix's, figB and a number for "
        "what is not in the paper",
    ),
]


class Configuration(Keys):
    """A preset and the user's overlays, merged."""

    preset: Name = key(
        "a name of small letters, digits and underscores, at most 40",
        "the size; its file holds this key, and results go to a folder of this name",
        required=True,
    )
    name: Name = key(
        "a name of small letters, digits and underscores, at most 40; the folder under results/",
        "the folder under results/, in place of the preset's name; set by an overlay to keep its "
        "results apart",
    )
    claims_file: str = key(
        "a file of claims and figures in config/, in place of config/claims.yaml",
        "the file of claims and figures that a preset is judged by; if absent: config/claims.yaml",
        pattern=f"^{CLAIMS_FILE}$",
    )
    about: Text = key(
        "text", "what a reader of this size's verdicts must know; it stands above them"
    )
    halves: bool = key(
        "true or false",
        "whether each claim is judged on the even and on the odd seeds too, and is undecided where "
        "those say the opposite; if absent: false",
    )
    in_order: bool = key(
        "true or false",
        "whether experiments are trained in the order in which they are listed, and not the "
        "longest job of all first; if absent: false",
    )
    device: Literal["auto", "cpu", "cuda"] = key(
        "auto, cpu or cuda",
        "where to train: auto takes a GPU if there is one, cuda fails where there is none; if "
        "absent: auto",
    )
    memory_limit_mb: int = integer(
        1,
        10**8,
        "a job estimated to need more is refused; if absent: 64,000",
        "an integer from 1 to 10^8; the largest memory that a job may be estimated to need",
    )
    time_limit_minutes: int = integer(
        1,
        10**6,
        "the longest time limit that a job may ask of a cluster's scheduler; if absent: no limit",
        "an integer from 1 to 10^6; the longest time limit that a job may ask a scheduler for",
    )
    replicates_per_job: int = integer(
        1,
        100000,
        "jobs of an experiment that are alike are trained by one process, as many as have so many "
        "replicates: on a GPU together (docs/performance.md), on a CPU one after another; numbers "
        "depend on it to rounding; if absent: each job by itself",
        "an integer from 1 to 10^5; replicates that one process trains together",
    )
    checkpoint_minutes: float = number(
        0,
        10000,
        "time between two checkpoints of a training job (docs/reliability.md); no number depends "
        "on it; if absent: 5",
        "a number from 0 to 10^4; minutes of training between two checkpoints of a job",
    )
    weights: dict[Name, Moments] = key(
        "a mapping {experiment: [1000, end]}: steps that all its jobs reach, and end",
        "for each experiment named, the steps after which to keep every replicate's weights, as "
        "safetensors; end: after its own last (docs/howto/read-artifacts.md); no number depends on "
        "it; if absent: none",
    )
    missing_blocks: Literal["wait", "mark"] = key(
        "wait (a failed block stops what needs it) or mark (take what finished, mark the gap)",
        "whether a failed block holds up what needs it, or what finished is taken and figures and "
        "verdicts name the gap; if absent: wait",
    )
    defaults: Settings = key("a mapping", required=True)
    experiments: dict[Name, Experiment] = key("experiments by name", required=True, min_length=1)
    theory: Theory = key("kinetics, landscape and initial_conditions", required=True)
    claims: dict[Name, Claim] = key("claims by id", required=True)
    figures: dict[FigureName, Figure] = key("figures by id, as fig2, fig6, figA4", required=True)
