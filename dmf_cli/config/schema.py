"""The fixed groups of a config as dataclasses: what each key may be.

What a new run has by default is in ``conf/``. A field has a default here if the config of a run of an earlier
commit, or a dataset of the user, may lack its key: then this is what it did. The parameters of a loss, a
strategy or a model are those of its function, see :mod:`dmf_cli.parts.definitions`.
"""

import dataclasses
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval

from dmf_cli.ranges import (
    MOST,
    Count,
    Device,
    Exponent,
    Fraction,
    NotNegative,
    Part,
    PathName,
    Positive,
    Seed,
    Share,
    Text,
    UpTo,
    Whole,
)

Rate = Annotated[float, Interval(gt=0, le=1000)]
Coefficient = Annotated[float, Interval(ge=1e-9, le=MOST)]  # else one of the terms has no say in float32
MAX_SIDE = 16_384  # pixels of a side of a network's input


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a group that :data:`NAMED` lists, by its name."""

    name: ClassVar[str]


@dataclasses.dataclass(frozen=True)
class Root:
    """Keys beside the groups."""

    seed: Seed
    run_dir: PathName | None = None
    output_root: PathName = "outputs"
    report: bool = True
    recipe: str | None = None
    plugins: str | list[str] | dict[str, Any] | None = None


OPTIONAL = ("recipe", "plugins")  # of these a config has only those that say something


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """``split``: which images train, validate and test."""

    seed: Seed
    fractions: tuple[Part, Part, Part]
    stratify: bool
    sizes: Annotated[int, Interval(ge=1, le=1000)] = 1
    leak_free: bool = False
    similarity: Annotated[float, Interval(ge=0.5, le=1)] | None = None
    folds: Annotated[int, UpTo(ge=2, le=1000)] | None = None
    fold: Whole = 0
    file: PathName | None


@dataclasses.dataclass(frozen=True)
class Trainer:
    """``trainer``: the loop."""

    epochs: Annotated[int, Interval(ge=1, le=1_000_000)] | Literal["auto"]
    batch_size: Annotated[int, Interval(ge=1, le=65_536)]
    backend: Literal["tensorflow", "jax", "torch"]
    device: Device
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16", "auto"]
    jit: bool | Literal["auto"]
    deterministic: bool
    monitor: str
    patience: Count | None
    on_nonfinite: Literal["skip", "stop"]
    on_diverge: Literal["stop", "rollback"] = "stop"
    insight_every: Whole = 0
    cache: Literal["auto", "memory", "disk", "none"] = "auto"
    oversample: Annotated[float, Interval(ge=0, le=4)] = 0.0
    deep_supervision: Annotated[int, Interval(ge=0, le=10)] | Literal["auto"] = 0
    foreground: Share = 0.0
    keep: Annotated[int, Interval(ge=1, le=100)] = 2
    checkpoint_minutes: Annotated[float, Interval(gt=0, le=10_000)] | None = 10.0
    devices: Annotated[int, Interval(ge=1, le=4096)] | Literal["all"] = 1
    hosts: Annotated[int, Interval(ge=1, le=4096)] = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimizer(Option):
    """``optimizer``: the class of Keras that has the same name, with the keys that all of them have."""

    learning_rate: Rate
    clipnorm: Positive | None
    ema: Fraction = 0.0
    encoder_rate: Share = 1.0
    frozen: Share = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """``optimizer=adam``."""

    name = "adam"
    beta_1: Fraction
    beta_2: Fraction
    epsilon: Annotated[float, UpTo(gt=0, le=1)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """``optimizer=adamw``."""

    name = "adamw"
    weight_decay: NotNegative


@dataclasses.dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """``optimizer=sgd``."""

    name = "sgd"
    momentum: Fraction
    nesterov: bool
    weight_decay: NotNegative = 0.0


@dataclasses.dataclass(frozen=True)
class Constant(Option):
    """``schedule=constant``: the rate of the optimizer throughout."""

    name = "constant"


@dataclasses.dataclass(frozen=True)
class Warmup(Option):
    """``schedule=warmup``: from 0 up to the rate of the optimizer, which then stays."""

    name = "warmup"
    warmup: Share


@dataclasses.dataclass(frozen=True)
class Cosine(Option):
    """``schedule=cosine``: down along half a cosine, after an optional warm-up."""

    name = "cosine"
    warmup: Share
    final: Share


@dataclasses.dataclass(frozen=True)
class Poly(Option):
    """``schedule=poly``: down to 0 along a power of what is left of the run."""

    name = "poly"
    exponent: Exponent


@dataclasses.dataclass(frozen=True)
class Plateau(Option):
    """``schedule=plateau``: down whenever ``trainer.monitor`` has stopped improving."""

    name = "plateau"
    factor: Part
    patience: Count
    min_lr: Annotated[float, UpTo(ge=0, le=1000)]


@dataclasses.dataclass(frozen=True)
class Auxiliary:
    """``auxiliary``: a loss that helps the early steps and fades."""

    name: Annotated[str, Text("none|TERM")]
    gamma0: NotNegative
    decay: NotNegative
    every: Count
    params: dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metrics(Option):
    """``metrics=default``: how predictions are scored; ``own``: metrics of the user with their parameters."""

    name = "default"
    threshold: Part | Literal["auto"]
    empty: Literal["nan", "zero", "one"]
    own: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FullMetrics(Metrics):
    """``metrics=full``: surface distances, calibration and detection as well."""

    name = "full"
    missed: Literal["diagonal", "nan"]
    tolerance: Annotated[float, UpTo(ge=0, le=MAX_SIDE)]
    tolerance_mm: Annotated[float, UpTo(ge=0, le=10_000)]
    bins: Annotated[int, Interval(ge=1, le=10_000)]
    connectivity: Literal[1, 2]
    overlap: Fraction


@dataclasses.dataclass(frozen=True)
class Eval:
    """``eval``: at which resolution predictions are scored."""

    resolution: Literal["original", "network"]


@dataclasses.dataclass(frozen=True)
class Predict:
    """``predict``: how probabilities become a mask; of runs before there was a choice, a plain threshold."""

    mirror: bool | Literal["both"] = False
    decision: Literal["threshold", "dice"] = "threshold"
    component: Literal["all", "largest", "auto"] = "all"
    holes: Literal["keep", "fill", "auto"] = "keep"
    temperature: Literal["none", "auto"] = "none"


@dataclasses.dataclass(frozen=True)
class Sweep:
    """``sweep``: how the jobs of a sweep run."""

    workers: Annotated[int, Interval(ge=1, le=1024)] | Literal["auto"]
    on_error: Literal["continue", "stop"]
    isolate: bool
    compare: bool | str | tuple[str, ...] = False
    apart: str | None = None
    per_gpu: Annotated[int, Interval(ge=1, le=64)] = 1
    warm: bool = True


@dataclasses.dataclass(frozen=True)
class NoTracker(Option):
    """``tracker=none``."""

    name = "none"


@dataclasses.dataclass(frozen=True)
class TensorBoard(Option):
    """``tracker=tensorboard``: event files."""

    name = "tensorboard"
    dir: PathName | None
    every: Whole


@dataclasses.dataclass(frozen=True)
class MLflow(Option):
    """``tracker=mlflow``: a run in an MLflow store."""

    name = "mlflow"
    uri: str | None
    experiment: str
    every: Whole


@dataclasses.dataclass(frozen=True)
class Model:
    """``model``: keys beside the parameters of its function."""

    name: str
    head: Literal["softmax", "sigmoid"] = "softmax"
    weights: PathName | None = None


@dataclasses.dataclass(frozen=True)
class Weighting:
    """``weighting``: keys beside the parameters of its class, or in place of them."""

    name: str
    warmup: Count | Literal["auto"]


# Groups whose keys are always the same, and groups whose keys depend on their ``name``.
PLAIN: dict[str, type] = {
    "split": Split,
    "trainer": Trainer,
    "auxiliary": Auxiliary,
    "eval": Eval,
    "predict": Predict,
    "sweep": Sweep,
}
NAMED: dict[str, dict[str, type[Option]]] = {
    group: {kind.name: kind for kind in kinds}
    for group, kinds in {
        "optimizer": (Adam, AdamW, SGD),
        "schedule": (Constant, Cosine, Warmup, Poly, Plateau),
        "tracker": (NoTracker, TensorBoard, MLflow),
        "metrics": (Metrics, FullMetrics),
    }.items()
}
FREE = ("dataset", "model", "loss", "weighting", "augment")


def needed(kind: type) -> list[str]:
    """The keys of a group that every run has: the fields of its dataclass without a default."""
    none = dataclasses.MISSING
    fields = dataclasses.fields(kind)
    return [field.name for field in fields if field.default is none and field.default_factory is none]
