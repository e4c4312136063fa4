"""The fixed groups of a config as dataclasses: what each key may be.

Defaults are in ``conf/``, not here: one place each. Groups whose keys depend on their option (``dataset``,
``model``, ``weighting``, ``loss.terms.*``) have the comments of its YAML file as their schema, then the
signature of its function, see :mod:`dmf_cli.config.checks`.
"""

import dataclasses
from typing import Annotated, Any, Literal

from dmf_cli.config.types import Pattern, Range

Positive = Annotated[float, Range(above=0)]
Rate = Annotated[float, Range(above=0, at_most=1000)]
NotNegative = Annotated[float, Range(at_least=0)]
Count = Annotated[int, Range(at_least=1)]
Seed = Annotated[int, Range(at_least=0, below=2**32)]
Share = Annotated[float, Range(at_least=0, at_most=1)]
Part = Annotated[float, Range(above=0, below=1)]
Fraction = Annotated[float, Range(at_least=0, below=1)]
Device = Annotated[str, Pattern(r"auto|cpu|gpu(:\d+)?", "auto, cpu, gpu or gpu:N")]


@dataclasses.dataclass(frozen=True)
class Root:
    """Keys beside the groups."""

    seed: Seed
    run_dir: str | None
    output_root: str
    report: bool


@dataclasses.dataclass(frozen=True)
class Split:
    """``split``: which images train, validate and test."""

    seed: Seed
    fractions: tuple[Part, Part, Part]
    stratify: bool
    sizes: Annotated[int, Range(at_least=1, at_most=1000)]
    leak_free: bool
    similarity: Annotated[float, Range(at_least=0.5, at_most=1)] | None
    folds: Annotated[int, Range(at_least=2)] | None
    fold: Annotated[int, Range(at_least=0)]
    file: str | None


@dataclasses.dataclass(frozen=True)
class Trainer:
    """``trainer``: the loop."""

    epochs: Annotated[int, Range(at_least=1, at_most=1_000_000)] | Literal["auto"]
    batch_size: Annotated[int, Range(at_least=1, at_most=65_536)]
    backend: Literal["tensorflow", "jax", "torch"]
    device: Device
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"]
    jit: bool | Literal["auto"]
    deterministic: bool
    monitor: str
    patience: Count | None
    on_nonfinite: Literal["skip", "stop"]
    insight_every: Annotated[int, Range(at_least=0)]
    cache: Literal["auto", "memory", "disk", "none"]
    oversample: Annotated[float, Range(at_least=0, at_most=4)]


@dataclasses.dataclass(frozen=True)
class Adam:
    """``optimizer=adam``."""

    learning_rate: Rate
    clipnorm: Positive | None
    beta_1: Fraction
    beta_2: Fraction
    epsilon: Positive


@dataclasses.dataclass(frozen=True)
class AdamW(Adam):
    """``optimizer=adamw``."""

    weight_decay: NotNegative


@dataclasses.dataclass(frozen=True)
class SGD:
    """``optimizer=sgd``."""

    learning_rate: Rate
    clipnorm: Positive | None
    momentum: Fraction
    nesterov: bool


@dataclasses.dataclass(frozen=True)
class Constant:
    """``schedule=constant``: the rate of the optimizer throughout."""


@dataclasses.dataclass(frozen=True)
class Warmup:
    """``schedule=warmup``: from 0 up to the rate of the optimizer, which then stays."""

    warmup: Share


@dataclasses.dataclass(frozen=True)
class Cosine:
    """``schedule=cosine``: down along half a cosine, after an optional warm-up."""

    warmup: Share
    final: Share


@dataclasses.dataclass(frozen=True)
class Plateau:
    """``schedule=plateau``: down whenever ``trainer.monitor`` has stopped improving."""

    factor: Annotated[float, Range(above=0, below=1)]
    patience: Count
    min_lr: NotNegative


@dataclasses.dataclass(frozen=True)
class Auxiliary:
    """``auxiliary``: a loss that helps the early steps and fades."""

    name: str
    gamma0: NotNegative
    decay: NotNegative
    every: Count
    params: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Metrics:
    """``metrics=default``: how predictions are scored."""

    threshold: Annotated[float, Range(above=0, below=1)]
    empty: Literal["nan", "zero", "one"]


@dataclasses.dataclass(frozen=True)
class FullMetrics(Metrics):
    """``metrics=full``: surface distances, calibration and detection as well."""

    missed: Literal["diagonal", "nan"]
    tolerance: NotNegative
    tolerance_mm: NotNegative
    bins: Annotated[int, Range(at_least=1, at_most=10_000)]
    connectivity: Literal[1, 2]
    overlap: Fraction


@dataclasses.dataclass(frozen=True)
class Eval:
    """``eval``: at which resolution predictions are scored."""

    resolution: Literal["original", "network"]


@dataclasses.dataclass(frozen=True)
class Augment:
    """``augment=none``: images as they are."""


@dataclasses.dataclass(frozen=True)
class Affine:
    """``augment=affine``: mirror, rotation, scale, shift, gain and gamma, each the largest change."""

    flip: Share
    rotate: Annotated[float, Range(at_least=0, at_most=180)]
    scale: Fraction
    shift: Fraction
    gain: Fraction
    gamma: Fraction


@dataclasses.dataclass(frozen=True)
class Sweep:
    """``sweep``: how the jobs of a sweep run."""

    workers: Annotated[int, Range(at_least=1, at_most=1024)]
    on_error: Literal["continue", "stop"]
    isolate: bool
    compare: bool | str | tuple[str, ...]
    apart: str | None


@dataclasses.dataclass(frozen=True)
class Elastic(Affine):
    """``augment=elastic``: affine and bending."""

    elastic: Annotated[float, Range(at_least=0, below=0.25)]
    elastic_cells: Annotated[int, Range(at_least=1, at_most=32)]


@dataclasses.dataclass(frozen=True)
class Ultrasound(Affine):
    """``augment=ultrasound``: affine, speckle, depth gain and shadows."""

    speckle: Fraction
    tgc: Fraction
    shadow: Share
    shadow_width: Share
    shadow_strength: Share


@dataclasses.dataclass(frozen=True)
class Strong(Ultrasound, Elastic):
    """``augment=strong``: all of it."""


@dataclasses.dataclass(frozen=True)
class NoTracker:
    """``tracker=none``."""


@dataclasses.dataclass(frozen=True)
class TensorBoard:
    """``tracker=tensorboard``: event files."""

    dir: str | None
    every: Annotated[int, Range(at_least=0)]


@dataclasses.dataclass(frozen=True)
class MLflow:
    """``tracker=mlflow``: a run in an MLflow store."""

    uri: str | None
    experiment: str
    every: Annotated[int, Range(at_least=0)]


# Groups whose keys are always the same, and groups whose keys depend on their ``name``.
PLAIN: dict[str, type] = {
    "split": Split,
    "trainer": Trainer,
    "auxiliary": Auxiliary,
    "eval": Eval,
    "sweep": Sweep,
}
NAMED: dict[str, dict[str, type]] = {
    "optimizer": {"adam": Adam, "adamw": AdamW, "sgd": SGD},
    "schedule": {"constant": Constant, "cosine": Cosine, "warmup": Warmup, "plateau": Plateau},
    "augment": {
        "none": Augment,
        "affine": Affine,
        "elastic": Elastic,
        "ultrasound": Ultrasound,
        "strong": Strong,
    },
    "tracker": {"none": NoTracker, "tensorboard": TensorBoard, "mlflow": MLflow},
    "metrics": {"default": Metrics, "full": FullMetrics},
}
FREE = ("dataset", "model", "loss", "weighting")
