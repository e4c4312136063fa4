"""Settings compared over runs: ``dmf_cli.compare``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dmf_cli.api import frames
from dmf_cli.api.frames import Frame
from dmf_cli.api.run import Run
from dmf_cli.api.words import text
from dmf_cli.files import write_atomic

if TYPE_CHECKING:
    from dmf_cli.comparison import compare as comparing

Source = Run | str | Path


class Plot:
    """A figure that a notebook shows.

    Args:
        figure: the ``matplotlib.figure.Figure``, to change or to put elsewhere.
    """

    def __init__(self, figure: Any) -> None:
        self.figure = figure

    def png(self) -> bytes:
        """The picture."""
        from dmf_cli.figures import style

        with style.style():
            return style.png(self.figure)

    def save(self, path: str | Path) -> Path:
        """Write it as PNG; raises ``RunFolderError`` if that cannot be."""
        write_atomic(Path(path), self.png())
        return Path(path)

    def _repr_png_(self) -> bytes:
        return self.png()


class Comparison:
    """What :func:`compare` found.

    Args:
        result: all of it, as ``dmf compare`` has it.
    """

    def __init__(self, result: "comparing.Comparison") -> None:
        self.result = result

    @property
    def verdict(self) -> str:
        """The answer in a sentence; no winner is named that chance could have made."""
        return self.result.verdict

    @property
    def table(self) -> Frame:
        """One row a setting, best first: the columns of ``comparison.csv``."""
        from dmf_cli.comparison import tables

        return frames.of_rows(tables.RECORD, [tables.record(row) for row in self.result.rows])

    def plot(self, kind: Literal["differences", "images", "curves"] = "differences") -> Plot:
        """A figure: ``differences`` to the baseline, scores of single ``images``, ``curves`` over epochs.

        Raises:
            UnknownNameError: another ``kind``.
        """
        from dmf_cli.comparison import plots
        from dmf_cli.errors import UnknownNameError
        from dmf_cli.figures import matplotlib_renderer, style

        drawn = plots.figures(self.result)
        if kind not in drawn:
            raise UnknownNameError("plot", kind, drawn)
        with style.style():
            return Plot(matplotlib_renderer.draw(drawn[kind]()))

    def save(self, folder: str | Path) -> Path:
        """Write tables (CSV, JSON, Markdown, LaTeX) and plots, as ``dmf compare -o``; returns the folder."""
        from dmf_cli.comparison import plots, tables
        from dmf_cli.files import disk_errors

        place = Path(folder)
        with disk_errors(place):
            place.mkdir(parents=True, exist_ok=True)
        tables.write(place, self.result)
        plots.write(place, self.result)
        return place

    def __repr__(self) -> str:
        return f"Comparison({len(self.result.rows)} settings by {self.result.metric}: {self.verdict})"

    def _repr_html_(self) -> str:
        from dmf_cli.api import html
        from dmf_cli.comparison import tables

        shown = html.table(tables.COLUMNS, tables.cells(self.result))
        drawn = html.picture(self.plot().png(), "differences") if self.result.baseline else ""
        return f"<div><p><b>{html.escaped(self.verdict)}</b></p>{shown}{drawn}</div>"


def compare(
    runs: Source | Sequence[Source],
    *,
    metric: str | None = None,
    by: str | Sequence[str] | None = None,
    baseline: str | Mapping[str, Any] | None = None,
    only: Mapping[str, Any] | None = None,
    margin: float | None = None,
    split: Literal["test", "val", "train"] = "test",
) -> Comparison:
    """Compare the settings of ``runs``, seeds and folds being repetitions, as ``dmf compare``.

    Args:
        runs: runs, or paths of runs or of folders that hold some; one or a list.
        metric: a column of the scores per image, such as ``foreground.hd95``; None: Dice.
        by: the keys that make a setting; None: all that differs.
        baseline: what the others are compared with, ``"weighting=fixed"`` or ``{"weighting": "fixed"}``;
            None: ``weighting=fixed`` where there is one.
        only: keys and values that runs must have, ``{"dataset": "busi"}``.
        margin: differences below it do not matter.
        split: the part whose scores are compared; those of ``val``, by which settings are chosen, and of
            ``train`` are written by :meth:`Run.evaluate`.

    Raises:
        RunFolderError: fewer than two runs that can be compared.
        ConfigError: a baseline that no run is, or an unknown metric or key.

    Example:
        >>> comparison = dmf_cli.compare("outputs/sweep", baseline="weighting=fixed")
        >>> print(comparison.verdict)
        >>> comparison.table["difference"]
    """
    from dmf_cli.comparison import compare as comparing

    several = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    found = comparing.compare(
        [one.path if isinstance(one, Run) else Path(one) for one in several],
        metric=metric,
        by=[key.strip() for key in by.split(",")] if isinstance(by, str) else by,
        baseline=_pairs(baseline),
        only=[(key, text(key, value)) for key, value in (only or {}).items()],
        margin=margin,
        part=split,
    )
    return Comparison(found)


def _pairs(baseline: str | Mapping[str, Any] | None) -> str | None:
    if baseline is None or isinstance(baseline, str):
        return baseline
    return ",".join(f"{key}={text(key, value)}" for key, value in baseline.items())
