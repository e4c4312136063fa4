"""A whole run against its training steps: where the time of `dmf train` goes, as shares of the total.

Run: python scripts/bench_run.py                                  (the default run; 5 minutes on 2 cores)
     python scripts/bench_run.py dataset=busi dataset.dir=PATH recipe=strong
     python scripts/bench_run.py --page

The run is made by the code of `dmf train` in this process, in a folder that goes again; a clock stands around
what it calls. What a part does inside another one counts for the inner one only. `steps` are the training
steps without the first one, which compiles and counts as `compile`. The goal: all but steps and compile under
12 s on 2 cores for the default.
"""

import argparse
import contextlib
import functools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import measuring

GOAL = 12.0  # seconds
PARTS = (
    "start of Python", "import", "compose", "data", "build", "compile", "steps", "validation", "checkpoints",
    "evaluation", "plots", "report", "rest",
)  # fmt: skip


class Clock:
    """Seconds by part; a part that begins within another one interrupts it."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._open: list[str] = []
        self._since = self.began = time.perf_counter()

    @contextlib.contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        self._pass()
        self._open.append(part)
        try:
            yield
        finally:
            self._pass()
            self._open.pop()

    def _pass(self) -> None:
        now = time.perf_counter()
        self.seconds[self._open[-1] if self._open else "rest"] += now - self._since
        self._since = now

    def around(self, owner: Any, name: str, part: str) -> None:
        """Count what ``owner.name`` does as ``part`` from now on."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            with self(part):
                return function(*arguments, **options)

        setattr(owner, name, timed)


class Steps:
    """The train function of the model, each call timed; the first one compiles."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.durations = clock, []

    def around(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def step(iterator: Any) -> Any:
            part = "steps" if self.durations else "compile"
            start = time.perf_counter()
            with self.clock(part):
                logs = function(iterator)
            self.durations.append(time.perf_counter() - start)
            return logs

        return step


def measured(overrides: Sequence[str]) -> tuple[dict[str, float], list[float]]:
    """Seconds of each part of a run, and of each of its steps, the first of which compiles."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", ""], check=True)
    clock = Clock()
    clock.seconds["start of Python"] = time.perf_counter() - began
    with tempfile.TemporaryDirectory(prefix="dmf-bench-") as folder:
        with clock("compose"):
            from dmf_cli import config as configs

            config = configs.compose([*overrides, f"run_dir={folder}/run", "tracker=none"])
        with clock("import"):
            from dmf_cli import runtime

            runtime.start(config.trainer)
            _import_the_rest()
        steps = _watch(clock)
        from dmf_cli.training import trainer

        trainer.train(config)
        clock._pass()  # before the folder goes, which a run does not wait for
    return clock.seconds, steps.durations


def _import_the_rest() -> None:
    """What a run imports later, so that it counts as import."""
    import dmf_cli.figures.run_figures
    import dmf_cli.inference.score
    import dmf_cli.report.run_page
    import dmf_cli.training.build
    import dmf_cli.training.trainer  # noqa: F401


def _watch(clock: Clock) -> Steps:
    """Clocks around what a run calls."""
    from dmf_cli import report
    from dmf_cli.datasets.input import run_data
    from dmf_cli.figures import run_figures
    from dmf_cli.fusion import FusedModel
    from dmf_cli.inference import score
    from dmf_cli.training import build, callbacks

    clock.around(run_data, "open_data", "data")
    clock.around(build, "fused_model", "build")
    clock.around(build, "compile_model", "build")
    clock.around(FusedModel, "evaluate", "validation")
    clock.around(callbacks.EpochWriter, "on_epoch_end", "checkpoints")
    clock.around(score, "score", "evaluation")
    clock.around(run_figures, "plot_run", "plots")
    clock.around(report, "after_run", "report")
    steps, make = Steps(clock), FusedModel.make_train_function

    def watched(model: Any, force: bool = False) -> Any:
        made = model.train_function is None or force
        make(model, force)
        if made:
            model.train_function = steps.around(model.train_function)
        return model.train_function

    FusedModel.make_train_function = watched
    return steps


def lines(seconds: dict[str, float], durations: Sequence[float], busy: bool) -> list[str]:
    """The table, what a step takes, and whether the goal is met."""
    whole = sum(seconds.values())
    shown = {**seconds, "all": whole}
    rows = [[name, *([] if busy else [f"{one:.2f}"]), f"{one / whole:.1%}"] for name, one in shown.items()]
    found = measuring.table(["part", *([] if busy else ["s"]), "share"], rows)
    if busy:
        return found
    beside = whole - seconds["steps"] - seconds["compile"]
    goal = f"{'met' if beside < GOAL else 'missed'}, under {GOAL:.0f} s"
    middle = statistics.median(durations[1:] or durations)
    found += ["", f"- {len(durations)} steps, {1000 * middle:.1f} ms each (median)"]
    return [*found, f"- all but steps and compile: {beside:.1f} s ({goal} is the goal)"]


def main() -> None:
    parser = measuring.with_page(argparse.ArgumentParser(description=__doc__.partition("\n")[0]))
    parser.add_argument("overrides", nargs="*", help="of the config, as for dmf train")
    given = parser.parse_args()
    seconds, durations = measured(given.overrides)
    name = "run" + "".join(f"-{word.replace('=', '-')}" for word in given.overrides if "/" not in word)
    title = f"A whole run: {' '.join(given.overrides) or 'the default'}"
    measuring.publish(name, title, lines(seconds, durations, given.busy), given)


if __name__ == "__main__":
    main()
