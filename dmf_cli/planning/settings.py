"""What a plan is made of: settings, how fast they are, what they must keep to, and which was chosen."""

import dataclasses
import math

QUICK, STANDARD, STRONG, NNUNET = "quick", "standard", "strong", "nnunet"
# Epochs that a recipe needs to be worth its name, and steps likewise; and what is never exceeded.
ENOUGH = {NNUNET: (250, 10_000), STANDARD: (100, 2000), STRONG: (40, 700), QUICK: (18, 600)}
MOST = {NNUNET: 1000, STANDARD: 240, STRONG: 240, QUICK: 400}
CHANNELS = 1.5  # power with which the cost grows with the filters
FILTERS = 12  # what dmf has by default
NNUNET_FILTERS = 32  # of its first stage
ENCODER, ENCODER_FILTERS = "unet_encoder", 8  # the pretrained network, which costs what FILTERS cost
SMALL_DATA = 1000  # training images: with fewer, pretrained weights are worth more than a larger network
SIZES = (32, 48, 64, 96, 128, 160, 192, 256)  # sides of the network input
SMALL_LESION = 12  # pixels that a small lesion should be wide in it


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a speed is measured of; None: the user has chosen, or the network has no such parameter."""

    recipe: str | None
    size: int | None
    filters: int | None
    batch: int
    encoder: bool = False  # the pretrained network in place of the config's

    @property
    def kind(self) -> str:
        """The recipe, or the one whose needs are those of a config of the user's."""
        return self.recipe if self.recipe in ENOUGH else QUICK

    @property
    def cost(self) -> float:
        """Of an image in a step, in units of no meaning."""
        known = NNUNET_FILTERS if self.recipe == NNUNET else FILTERS
        filters = known if self.encoder else self.filters or known
        return float((self.size or 128) ** 2 * filters**CHANNELS)

    @property
    def network(self) -> str:
        """What it trains, of which the speed of another one says little."""
        return ENCODER if self.encoder else NNUNET if self.recipe == NNUNET else "unet"


@dataclasses.dataclass(frozen=True)
class Speed:
    """Seconds on this machine.

    Args:
        imports: of the backend, once a process.
        start: from there until the first step: images, network.
        compiling: what the first step and the first validation take longer than others.
        step: of training.
        epoch: of an epoch beside its steps: validation and checkpoints.
        end: scores, figures and report.
        memory: bytes, at most.
    """

    imports: float
    start: float
    compiling: float
    step: float
    epoch: float
    end: float
    memory: float

    @property
    def once(self) -> float:
        """What does not depend on the number of epochs."""
        return self.imports + self.start + self.compiling + self.end

    def seconds(self, epochs: int, steps: int) -> float:
        """Of a whole run."""
        return self.once + epochs * (steps * self.step + self.epoch)

    def epochs(self, budget: float, steps: int) -> int:
        """How many fit into ``budget``."""
        return max(0, math.floor((budget - self.once) / (steps * self.step + self.epoch)))


NO_ROOM = Speed(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, math.inf)  # of a setting that ran out of memory


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a plan must keep to, and what the user has chosen already.

    Args:
        budget: seconds.
        memory: bytes; None: no limit.
        recipe: the only one that may be chosen; "" for none.
        size: likewise of the side of the network input; 0: the user has chosen one that is no square.
        filters: likewise; 0: the network has no such parameter.
        batch: likewise.
        epochs: likewise.
        patch: side of what the network takes at once; None: the whole input.
        encoder: whether the pretrained network may be chosen.
        nnunet: whether the recipe for a GPU may be chosen.
        least: side of the network input that the network of the config takes.
    """

    budget: float
    memory: float | None = None
    recipe: str | None = None
    size: int | None = None
    filters: int | None = None
    batch: int | None = None
    epochs: int | None = None
    patch: int | None = None
    encoder: bool = False
    nnunet: bool = False
    least: int = SIZES[0]


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What was decided, of a setting that was measured."""

    setting: Setting
    speed: Speed
    epochs: int
    steps: int  # of an epoch

    @property
    def seconds(self) -> float:
        """Of the whole run, as expected."""
        return self.speed.seconds(self.epochs, self.steps)

    @property
    def training(self) -> float:
        """Of its epochs, likewise."""
        return self.seconds - self.speed.once + self.speed.compiling
