"""Types with ranges: what a value of the config, or a parameter of a loss, a strategy, a model, a metric or
an augmentation, may be.

They stand in the dataclasses of :mod:`dmf_cli.config.schema` and in the signatures of the core, and nowhere
else is a range written down. This module imports nothing heavy, since signatures are read without Keras.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Interval


@dataclasses.dataclass(frozen=True)
class Text:
    """A text that help calls ``word``; it must match ``regex`` as a whole, and errors say what ``says``."""

    word: str
    regex: str = "(?s).+"
    says: str = "a text"

    def holds(self, value: str) -> bool:
        """Whether ``value`` matches."""
        return re.fullmatch(self.regex, value) is not None


class UpTo(Interval):
    """An interval whose ends beyond all sense are said to those only who pass them.

    Every number has such ends at least: what is larger is a slip, needs more memory than a machine has, or is
    infinite in float32.
    """


MOST = 1_000_000
Real = Annotated[float, UpTo(ge=-MOST, le=MOST)]
Positive = Annotated[float, UpTo(gt=0, le=MOST)]
NotNegative = Annotated[float, UpTo(ge=0, le=MOST)]
Exponent = Annotated[float, UpTo(gt=0, le=100)]
Share = Annotated[float, Interval(ge=0, le=1)]
Fraction = Annotated[float, Interval(ge=0, lt=1)]
Part = Annotated[float, Interval(gt=0, lt=1)]
Count = Annotated[int, UpTo(ge=1, le=MOST)]
Whole = Annotated[int, UpTo(ge=0, le=MOST)]
Steps = Annotated[int, UpTo(ge=1, le=10**9)]
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]

# Of networks: what is beyond takes no memory that there is.
Channels = Annotated[int, Interval(ge=1, le=4096)]
Blocks = Annotated[int, Interval(ge=1, le=64)]
Depth = Annotated[int, Interval(ge=1, le=16)] | Literal["auto"]
Dilation = Annotated[int, UpTo(ge=1, le=256)]
Norm = Literal["batch", "group", "instance", "none"]
Activation = Literal["relu", "leaky_relu"]

# Encoders of networks, as keras.applications spells them; capitals do not matter.
ENCODERS = (
    "efficientnet_lite0",
    *(f"EfficientNetB{size}" for size in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S")),
    *("MobileNetV2", "MobileNetV3Small", "MobileNetV3Large"),
    *("ResNet50", "ResNet50V2", "DenseNet121", "ConvNeXtTiny"),
)

# Of losses.
Focus = Annotated[float, UpTo(ge=0, le=100)]
Iterations = Annotated[int, UpTo(ge=0, le=100)]
Pool = Literal["batch", "sample"]
Absent = Literal["count", "zero"]
ClassWeights = Sequence[NotNegative] | None

# Of augmentations: a rotation in degrees, a displacement that cannot fold, the cells of its grid.
Angle = Annotated[float, Interval(ge=0, le=180)]
Bend = Annotated[float, Interval(ge=0, lt=0.25)]
Cells = Annotated[int, Interval(ge=1, le=32)]
# Ends between which a factor, a share of what there is or a number of pixels is drawn.
Factors = tuple[Annotated[float, Interval(gt=0, le=10)], Annotated[float, Interval(gt=0, le=10)]]
Shares = tuple[Annotated[float, Interval(gt=0, le=1)], Annotated[float, Interval(gt=0, le=1)]]
Widths = tuple[Annotated[float, Interval(ge=0, le=1)], Annotated[float, Interval(ge=0, le=1)]]

# Of strategies: steps that are remembered.
Window = Annotated[int, Interval(ge=2, le=1_000_000)]

PathName = Annotated[str, Text("path")]
Glob = Annotated[str, Text("glob")]
Regex = Annotated[str, Text("regex")]
Template = Annotated[str, Text("pattern")]
Device = Annotated[str, Text("auto|cpu|gpu|gpu:N", r"auto|cpu|gpu(:\d+)?", "auto, cpu, gpu or gpu:N")]
