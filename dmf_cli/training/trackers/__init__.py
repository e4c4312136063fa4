"""What watches a run from outside: config, values of each epoch, weights, scores, tables.

The run folder is complete without; so a tracker that fails is reported once and not used from then on.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from dmf_cli.config import schema
from dmf_cli.config.typed import Config
from dmf_cli.run_folder import headline
from dmf_cli.run_folder.folder import RunFolder

log = logging.getLogger("dmf")
Row = Mapping[str, float]


class Tracker(Protocol):
    """One tracker; every method may raise whatever it likes."""

    def start(self) -> dict[str, str]:
        """Begin, or resume with what is known from an earlier start; returns what a resume needs to know."""

    def epoch(self, row: Row, steps: Sequence[Row]) -> None:
        """The values of an epoch, and of its steps; all of it is on disk already."""

    def finish(self, state: str, scores: Row) -> None:
        """The run is ``completed``, ``failed`` or ``interrupted``; ``scores`` of the test split, if any."""


class Tracking:
    """The tracker of a run, or none; never raises.

    Args:
        config: of the run.
        run: its claimed folder; its status remembers which run of the tracker is its own.
    """

    def __init__(self, config: Config, run: RunFolder) -> None:
        self.run, self.name, self.tracker = run, config.tracker.name, None
        with self._reported():
            self.tracker = _make(config, run)

    def start(self) -> None:
        """Begin, or continue after a resume."""
        with self._reported():
            if self.tracker:
                known = self.tracker.start()
                self.run.write_status("running", tracker={"name": self.name, **known})

    def epoch(self, row: Row, steps: Sequence[Row]) -> None:
        """An epoch is over and on disk."""
        with self._reported():
            if self.tracker:
                self.tracker.epoch(row, steps)

    def finish(self, state: str, scores: Row | None = None) -> None:
        """The run has ended."""
        with self._reported():
            if self.tracker:
                self.tracker.finish(state, scores or {})

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.tracker = None
            why = (str(error).strip().splitlines() or ["no message"])[0][:300]
            log.warning(
                "tracker=%s: %s: %s; the run continues without it", self.name, type(error).__name__, why
            )


def check(config: Config) -> None:
    """Whether the tracker's package is there, before anything is computed.

    Raises:
        ConfigError: it is not.
    """
    if isinstance(config.tracker, schema.MLflow):
        from dmf_cli.training.trackers import mlflow

        mlflow.check(config.tracker, config.output_root)


def scores(summary: Mapping[str, Any]) -> dict[str, float]:
    """Means over the images of a split, as ``dice``, ``iou``, ...; what is undefined is omitted.

    With several classes ``mean_dice`` (over classes) comes first, then ``foreground_dice`` (of their union).
    """
    scopes = [headline.MEAN, headline.UNION] if headline.scope(summary) == headline.MEAN else [headline.UNION]
    means = {
        f"{scope}_{metric}" if len(scopes) > 1 else metric: figures["mean"]
        for scope in scopes
        for metric, figures in summary[scope].items()
    }
    return {metric: float(mean) for metric, mean in means.items() if mean == mean}


def thinned(steps: Sequence[Row], every: int) -> list[Row]:
    """Every so many steps; none for 0."""
    return [step for step in steps if int(step["step"]) % every == 0] if every else []


def _make(config: Config, run: RunFolder) -> Tracker | None:
    options = config.tracker
    if isinstance(options, schema.TensorBoard):
        from dmf_cli.training.trackers.tensorboard import TensorBoard

        return TensorBoard(options, config, run)
    if isinstance(options, schema.MLflow):
        from dmf_cli.training.trackers.mlflow import MLflow

        return MLflow(options, config, run)
    return None
