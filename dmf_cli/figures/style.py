"""The look of every figure, whatever the user's own matplotlib settings are; no pyplot, no global state."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dmf_cli.figures.description import shorten
from dmf_cli.files import write_atomic

DPI = 130

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
    write_atomic(path, png(figure))


def png(figure: Figure) -> bytes:
    """``figure`` as PNG."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # an id in another script
        FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def name_it(figure: Figure, name: str) -> None:
    """The run's name in the corner, for a figure that has left its folder."""
    figure.suptitle(text(name, 90), x=0.995, ha="right", fontsize=7, color="0.45")


def text(name: str, length: int | None = None) -> str:
    """A name for a picture: shortened to ``length``, and no formula made of its dollar signs."""
    return (shorten(name, length) if length else name).replace("$", r"\$")
