"""A search from its first trial to its files, with a line for each thing that happens."""

import contextlib
import math
import time
from typing import Any

from dmf_cli.run_folder import index
from dmf_cli.terminal.formats import number
from dmf_cli.terminal.run_view import LABELS
from dmf_cli.terminal.say import say
from dmf_cli.tuning import results
from dmf_cli.tuning.runner import RunningTrial, SearchRunner
from dmf_cli.tuning.study import SearchPlan

OFTEN = 10.0  # seconds between two lines about the epochs of a trial


def run(plan: SearchPlan, study: Any, **options: Any) -> SearchRunner:
    """Run the rest of ``plan`` and write its results; the runner says how it ended.

    Args:
        plan: what to search.
        study: of :func:`dmf_cli.tuning.study.opened`.
        options: of :class:`dmf_cli.tuning.runner.SearchRunner`.
    """
    say(f"searching {'; '.join(map(str, plan.space.dimensions))}")
    say(f"study {plan.folder}: {_state(study)}{plan.trials} trials in all")
    runner = SearchRunner(plan, study, on_end=_reporter(plan, study), on_epoch=_mover(plan, study), **options)
    try:
        with contextlib.suppress(KeyboardInterrupt):  # the second one: the running trials have been killed
            runner.run()
    finally:
        results.write(plan, study)
    return runner


def _state(study: Any) -> str:
    done = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
    return f"{done} done before, " if done else ""


def _reporter(plan: SearchPlan, study: Any) -> Any:
    """Says how each trial ended."""

    def ended(one: RunningTrial, state: str, value: float, message: str) -> None:
        what = _values(plan, study, one)
        if state == "FAIL":
            say(f"error: trial {one.trial.number} ({what}): {message}", error=True)
            return
        text = f"trial {one.trial.number}: {results.WORDS.get(state, state.lower())}"
        text += f" {message}" if message else ""
        figure = f", {LABELS.get(plan.monitor, plan.monitor)} {number(value)}" if math.isfinite(value) else ""
        say(f"{text}{figure}, {what}")

    return ended


def _mover(plan: SearchPlan, study: Any) -> Any:
    """Says what a trial is at: when it begins, and then its epochs, but no line sooner than ``OFTEN``."""
    said: dict[int, float] = {}

    def move(one: RunningTrial) -> None:
        number, now = one.trial.number, time.monotonic()
        if number not in said:
            say(f"trial {number}: training, {_values(plan, study, one)}")
        elif now - said[number] < OFTEN:
            return
        else:
            say(f"trial {number}: {_progress(plan, one)}")
        said[number] = now

    return move


def _progress(plan: SearchPlan, one: RunningTrial) -> str:
    """The epochs that a trial has finished, and its best figure so far."""
    epochs = index.read(one.path).status.get("epochs")
    of = f" of {epochs}" if epochs else ""
    best = f", best {LABELS.get(plan.monitor, plan.monitor)} {number(one.best)}"
    return f"epoch {one.epoch}{of}{best if math.isfinite(one.best) else ''}"


def _values(plan: SearchPlan, study: Any, one: RunningTrial) -> str:
    """What a trial searches with, in words."""
    parameters = results.searched(plan, study.trials[one.trial.number].params).items()
    return ", ".join(f"{key}={v:.4g}" if isinstance(v, float) else f"{key}={v}" for key, v in parameters)
