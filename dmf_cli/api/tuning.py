"""A search over settings: ``dmf_cli.tune``."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.api import frames, process, words
from dmf_cli.api.frames import Frame
from dmf_cli.api.run import Run
from dmf_cli.errors import RunError

if TYPE_CHECKING:
    from dmf_cli.tuning.study import SearchPlan


class Study:
    """What a search found so far.

    Args:
        plan: of the search.
        rows: one a trial, best first.
        command: the command that trains the best with new seeds.

    Attributes:
        path: the folder of the study; the same call continues in it.
        command: likewise.
    """

    def __init__(self, plan: "SearchPlan", rows: Sequence[dict[str, Any]], command: str) -> None:
        self._plan, self._rows, self.path, self.command = plan, list(rows), plan.folder, command

    @property
    def table(self) -> Frame:
        """One row a trial, best first: ``trial state``, the validation figure, what was searched, ``run``."""
        names = list(self._rows[0]) if self._rows else []
        return frames.of_rows(names, [list(row.values()) for row in self._rows])

    @property
    def value(self) -> float:
        """The validation figure of the best trial; NaN if none was completed."""
        done = self._rows and self._rows[0]["state"] == "done"
        return float(self._rows[0][self._plan.monitor]) if done else math.nan

    @property
    def best(self) -> dict[str, Any]:
        """The settings of the best trial, for ``dmf_cli.train(**study.best)``.

        Raises:
            RunError: no trial was completed.
        """
        fixed = dict(word.partition("=")[::2] for word in self._plan.words)
        shared = {key: value for key, value in fixed.items() if key in ("loss", "weighting")}
        return {**shared, **{key: self._best_row()[key] for key in self._searched()}}

    @property
    def best_run(self) -> Run:
        """The run of the best trial; raises ``RunError`` if none was completed."""
        return Run(self.path / self._best_row()["run"])

    def _searched(self) -> list[str]:
        from dmf_cli.tuning import results

        return list(results.searched(self._plan, {}))

    def _best_row(self) -> dict[str, Any]:
        if math.isnan(self.value):
            why = next((row["message"] for row in self._rows if row["message"]), "none was begun")
            raise RunError(f"no trial of {self.path} was completed", path=self.path, hint=str(why))
        return self._rows[0]

    def __repr__(self) -> str:
        return (
            f"Study({str(self.path)!r}, {len(self._rows)} trials, best {self._plan.monitor} {self.value:.3f})"
        )

    def _repr_html_(self) -> str:
        from dmf_cli.api import html

        names = ["trial", self._plan.monitor, *self._searched(), "epochs", "state"]
        rows = [[row[name] for name in names] for row in self._rows[:20]]
        return f"<div>{html.table(names, rows)}{html.place(self.path)}</div>"


def tune(
    *,
    trials: int = 20,
    workers: int = 1,
    pruner: str = "median",
    study: str | Path | None = None,
    overrides: Sequence[str] = (),
    plugins: str | Path | Sequence[str | Path] = (),
    config_dir: str | Path | None = None,
    **settings: Any,
) -> Study:
    """Search the fixed weights of a loss, or other settings, by the validation split, as ``dmf tune``.

    Args:
        trials: in all; a larger number adds trials to the same study.
        workers: trials at a time, each in a process of its own.
        pruner: ``median``, ``hyperband`` or ``none``.
        study: folder of the search; None: below ``output_root``, named by what is searched.
        overrides: words as on the command line.
        plugins: files and modules with parts of your own.
        config_dir: one more folder with config groups of your own.
        settings: as for :func:`dmf_cli.train`. What is a list, a ``range``, or a text such as
            ``"interval(0.1,0.9)"`` or ``"tag(log,interval(1e-4,1e-2))"`` is searched. ``weights=False``
            searches nothing but that, ``ratio=30`` limits the weights of two terms.

    Raises:
        UsageError: a setting is wrong, nothing is searched, or Optuna is not installed.
        KeyboardInterrupt: after an interruption; the same call continues the search.

    Example:
        >>> study = dmf_cli.tune(loss="cbdice+ce", dataset="phantom", trials=20)
        >>> run = dmf_cli.train(**study.best, seed=1)
    """
    from dmf_cli.api import objects
    from dmf_cli.tuning import results
    from dmf_cli.tuning import search as searching
    from dmf_cli.tuning import study as studies

    objects.refuse(settings, "a search trains in processes of its own")
    own = {"trials": trials, "workers": workers, "pruner": pruner}
    asked = words.of(settings, overrides, searched=True)
    asked += [*words.of(own), *([f"study={study}"] if study else []), *objects.own_words(plugins, config_dir)]
    plan = studies.plan(asked)
    with studies.opened(plan) as opened, process.borrowed(["dmf", "tune", *asked]):
        runner = searching.run(plan, opened, warm=True)
        found = Study(plan, results.records(plan, opened), results.command(plan, opened))
    if runner.interrupted:
        raise KeyboardInterrupt(f"the same call continues the search in {plan.folder}")
    return found
