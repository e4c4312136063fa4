"""What an architecture costs: its weights, and the time of a forward pass on this machine."""

import time
from collections.abc import Sequence
from typing import Any

from dmf_cli.errors import ConfigError
from dmf_cli.parts import registry

SHAPE, CLASSES = (128, 128, 1), 2
TIMES = 10
ABSENT = ("-", "-")  # of a network whose package is not installed


def start() -> str:
    """Import the backend that ``dmf train`` would use by default; returns what computes."""
    from dmf_cli import config as configs
    from dmf_cli import runtime

    return runtime.start(configs.compose([]).trainer).device


def cost(name: str) -> tuple[str, str]:
    """Number of weights, and the fastest of ten forward passes of one 128x128 grey image, as words.

    Args:
        name: of an option in ``conf/model``, with its defaults.
    """
    try:
        network = build(name)
    except ConfigError:
        return ABSENT
    return f"{network.count_params():,} weights", f"{1e3 * forward_seconds(network):.0f} ms"


def build(name: str) -> Any:
    """The network of an option with its defaults, for a 128x128 grey image and two classes."""
    from dmf_cli import config as configs

    given = configs.compose([f"model={name}"]).model  # an option may build on another
    return registry.find("model", given.name)(SHAPE, CLASSES, **given.params)


def forward_seconds(network: Any) -> float:
    """The fastest of ten compiled passes: what the machine does besides only ever makes one slower."""
    import numpy as np

    images = np.zeros((1, *network.input_shape[1:]), "float32")
    network.predict_on_batch(images)  # compiles
    return min(_seconds(network.predict_on_batch, images) for _ in range(TIMES))


def _seconds(function: Any, *arguments: Any) -> float:
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin


def with_costs(row: Sequence[str]) -> tuple[str, ...]:
    """``(name, what, source)`` with weights and time after the name."""
    return (row[0], *cost(row[0]), *row[1:])
