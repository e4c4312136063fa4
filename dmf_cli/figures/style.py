"""The look of every figure, whatever the user's own matplotlib settings are; no pyplot, no global state."""

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dmf_cli.figures.palette import SERIES as COLOURS
from dmf_cli.files import write_atomic

DASHES = ("-", "--", ":", "-.")
DPI = 130
WIDE = 30  # from this ratio of the largest to the smallest value on, an axis is logarithmic

_STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.alpha": 0.25,
    "legend.edgecolor": "none",
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Our settings inside the block, the user's again after it."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def save(path: Path, figure: Figure) -> None:
    """Write ``figure`` as PNG, whole or not at all.

    Raises:
        RunFolderError: disk full, read-only, no permission.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # an id in another script
        FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=DPI)
    write_atomic(path, buffer.getvalue())


def name_it(figure: Figure, name: str) -> None:
    """The run's name in the corner, for a figure that has left its folder."""
    figure.suptitle(text(name, 90), x=0.995, ha="right", fontsize=7, color="0.45")


def look(index: int) -> dict[str, Any]:
    """Colour and dashes of the line ``index``: colours first, then dashes; 28 lines can be told apart."""
    dashes = DASHES[index // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": dashes}


def draw(axes: Axes, x: Sequence[float], y: Sequence[float], **how: Any) -> None:
    """A line; values that stand alone, as in a run of one epoch, are dots that can be seen."""
    values = finite(y)
    known = np.pad(np.isfinite(values), 1)
    alone = np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:]).tolist()
    dots = {"marker": "o", "markersize": 4, "markevery": alone} if alone else {}
    axes.plot(x, values, **dots, **how)


def finite(values: Sequence[float]) -> np.ndarray:
    """As an array, with NaN for infinity: a gap in a line."""
    array = np.asarray(values, np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def scale(axes: Axes, *series: Sequence[float]) -> None:
    """A logarithmic axis where a linear one would hide the small values; a note where there are none."""
    values = np.concatenate([finite(s) for s in series]) if series else np.empty(0)
    values = values[~np.isnan(values)]
    if not len(values):
        axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center", color="0.45")
    elif values.min() > 0 and values.max() / values.min() >= WIDE:
        axes.set_yscale("log")


def epoch_axis(axes: Axes, epochs: Sequence[float], label: str = "epoch") -> None:
    """Whole epochs along x, also when there is one."""
    first, last = min(epochs), max(epochs)
    if first == last:
        axes.set_xlim(first - 0.5, last + 0.5)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    axes.set_xlabel(label)


def text(name: str, length: int) -> str:
    """A name for a figure: its middle left out when it is long, and no formula made of its dollar signs."""
    if len(name) > length:
        head = (length - 1) // 2
        name = f"{name[:head]}…{name[-(length - 1 - head) :]}"
    return name.replace("$", r"\$")
