"""The charts of many runs: curves of each setting with a band over its repetitions, and single images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dmf_cli.comparison.compare import Comparison
from dmf_cli.figures import style as look
from dmf_cli.report import chart
from dmf_cli.report.chart import Chart
from dmf_cli.run_folder.csv_log import Columns

MOST_DOTS = 20_000
CURVES = {
    "val_mean_dice": ("Validation Dice, mean over classes", "0 to 1"),
    "val_foreground_dice": ("Validation Dice, foreground", "0 to 1"),
    "val_objective": ("Validation objective", "loss"),
}


def curves(groups: Mapping[str, Sequence[Path]], epochs: Mapping[Path, Columns]) -> list[Chart]:
    """Mean over the repetitions of each setting, and a band of one standard deviation; zoomed together.

    Args:
        groups: setting -> its runs.
        epochs: run -> columns of its ``epochs.csv``; a run without them is skipped.
    """
    made: list[Chart] = []
    for column, (title, unit) in CURVES.items():
        tables = {
            name: _table([epochs.get(path, {}) for path in paths], column) for name, paths in groups.items()
        }
        known = {name: table for name, table in tables.items() if table.size}
        if not known:
            continue
        x_range = made[0].model.x_range if made else None
        model = chart.figure("epoch", unit, x_range=x_range, height=300)
        length = max(table.shape[1] for table in known.values())
        series = {
            name: np.pad(t.mean(axis=0), (0, length - t.shape[1]), constant_values=np.nan)
            for name, t in known.items()
        }
        for i, (name, table) in enumerate(known.items()):
            _band(model, table, i, name)
        found = chart.lines(model, range(1, length + 1), series, label="epoch", dots=length < 60)
        counts = ", ".join(f"{len(table)} of {name}" for name, table in known.items())
        caption = f"Mean and one standard deviation over runs ({counts}). {chart.in_words(series)}."
        made.append(Chart(column, title, caption, model, found, wide=False))
    return made


def images(comparison: Comparison) -> Chart:
    """One dot an image and setting, repetitions averaged first; the name of the image hovers."""
    from bokeh.models import ColumnDataSource, HoverTool

    model = chart.figure(comparison.metric, "", height=90 + 46 * len(comparison.rows))
    model.yaxis.visible = False
    model.ygrid.visible = False
    every = max(1, len(comparison.images) * len(comparison.rows) // MOST_DOTS)
    said, dots, drawn = [], [], set()
    for i, row in enumerate(comparison.rows):
        scores = row.group.per_image[::every]
        names = [
            name
            for name, score in zip(comparison.images[::every], scores, strict=True)
            if not np.isnan(score)
        ]
        drawn |= set(names)
        known = scores[~np.isnan(scores)]
        jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(known))
        source = ColumnDataSource(
            {"x": known.astype(np.float32), "y": (jitter - i).astype(np.float32), "image": names}
        )
        how = {"size": 6, "line_color": None, "fill_color": chart.colours(i)[0], "fill_alpha": 0.55}
        dots.append(model.scatter("x", "y", source=source, name=f"toggle:{row.group.name}", **how))
        chart.mark(dots[-1], i)
        low, middle, high = np.percentile(known, [25, 50, 75]) if len(known) else (np.nan,) * 3
        said.append(f"{row.group.name}: median {middle:.3f}, quartiles {low:.3f} and {high:.3f}")
    model.add_tools(
        HoverTool(renderers=dots, tooltips=[("image", "@image"), (comparison.metric, "@x{0.000}")])
    )
    toggles = {row.group.name: i for i, row in enumerate(comparison.rows)}
    rest = comparison.counted.total - len(drawn)
    why = "not drawn: too many" if every > 1 else "not counted"
    more = f" ({rest} more {why})" if rest else ""
    what = f"Each dot is one of {len(drawn)} test images{more}, the mean over its repetitions"
    caption = f"{what}. {'; '.join(said)}."
    return Chart("images", "Scores of single images", caption, model, toggles)


def _table(runs: Sequence[Columns], column: str) -> np.ndarray:
    """``(runs, epochs)``, as long as the shortest of them."""
    series = [look.finite(run[column]) for run in runs if run.get(column)]
    length = min((len(one) for one in series), default=0)
    return np.array([one[:length] for one in series])


def _band(model: Any, table: np.ndarray, index: int, name: str) -> None:
    if len(table) < 2:
        return
    mean, spread = table.mean(axis=0), table.std(axis=0, ddof=1)
    x = np.arange(1, table.shape[1] + 1)
    how = {"fill_color": chart.colours(index)[0], "fill_alpha": chart.BAND, "name": f"toggle:{name}"}
    chart.mark(model.varea(x, mean - spread, mean + spread, **how), index)
