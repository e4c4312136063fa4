"""Which epoch is the best so far, also where the monitored figure is undefined or ties."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from dmf_cli.run_folder.headline import OBJECTIVE

# Logs of an epoch: how many epochs so far were better than all before them, and how many by a clear margin.
BETTER, CLEARLY_BETTER = "better_epochs", "clearly_better_epochs"
BELOW_ALL = "-inf"  # in a note: no objective is lower, so that no tie with the best epoch of version 0.1 wins
CLEAR = 1e-4  # of the plateau schedule, as in Keras


def mode(monitor: str) -> str:
    """``min`` for a loss or an objective, ``max`` for a metric."""
    return "min" if "loss" in monitor or "objective" in monitor else "max"


class Standing(keras.callbacks.Callback):
    """Ranks epochs by ``monitor``; ties, and epochs in which it is undefined, by the lower objective.

    It is the first of the callbacks and leaves two counts in the logs of the epoch, which the others wait for
    in place of the monitor: Keras takes NaN for no improvement, and knows no second figure.

    Args:
        monitor: a key of the logs.

    Attributes:
        improved: whether the last epoch is the best so far.
        rank: (monitor, objective) of the best epoch, the lower the better; infinite where undefined.
        clear_rank: the same for improvements of more than ``CLEAR``.
        better: how many epochs have improved.
        clearly_better: the same, by more than ``CLEAR``.
    """

    COUNTERS = ("rank", "clear_rank", "better", "clearly_better")

    def __init__(self, monitor: str) -> None:
        super().__init__()
        self.monitor, self.sign = monitor, 1.0 if mode(monitor) == "min" else -1.0
        self.improved = False
        self.rank = self.clear_rank = (math.inf, math.inf)
        self.better = self.clearly_better = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Count, and tell the callbacks that follow."""
        new = (_finite(self.sign * logs[self.monitor]), _finite(logs[OBJECTIVE]))
        self.improved = new < self.rank
        if self.improved:
            self.rank, self.better = new, self.better + 1
        if _clearly(new, self.clear_rank):
            self.clear_rank, self.clearly_better = new, self.clearly_better + 1
        logs[BETTER], logs[CLEARLY_BETTER] = float(self.better), float(self.clearly_better)

    def note(self) -> dict[str, Any]:
        """What a resumed run has to know, as JSON has it."""
        return {name: _plain(getattr(self, name)) for name in self.COUNTERS}

    def restore(self, note: Mapping[str, Any], best: float | None) -> None:
        """Go on from a :meth:`note`, or from the best value alone, which is all that version 0.1 kept."""
        if not note:
            known = math.inf if best is None else _finite(self.sign * best)
            self.rank = self.clear_rank = (known, -math.inf if best is not None else math.inf)
            return
        for name, value in note.items():
            setattr(self, name, tuple(map(_infinite, value)) if isinstance(value, list) else int(value))


def _clearly(new: tuple[float, float], old: tuple[float, float]) -> bool:
    """By more than ``CLEAR`` in the first figure in which the two differ."""
    if new[0] != old[0]:
        return new[0] < old[0] - CLEAR
    return new[1] < old[1] - CLEAR


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else math.inf


def _plain(value: Any) -> Any:
    """JSON has no infinity: None stands for the one of what is undefined, a word for the other one."""
    if not isinstance(value, tuple):
        return value
    return [None if v == math.inf else BELOW_ALL if v == -math.inf else v for v in value]


def _infinite(value: float | str | None) -> float:
    return math.inf if value is None else float(value)
