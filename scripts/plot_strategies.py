"""How every weighting strategy reacts to four synthetic histories: figures and a table for docs/background/.

Run: python scripts/plot_strategies.py            (a minute; writes docs/images/, prints the table)

Three losses over 400 steps, with noise. All of them fall; in each history something else happens to `a`:

    decay       it falls fastest
    plateau     it stops falling at step 150
    spike       it is 20 times as large from step 200 to 204
    divergence  it rises from step 150 on

Strategies that need gradients get norms of sqrt(loss), those of a quadratic bowl.
"""

import argparse
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from dmf_cli import lookup, weighting
from dmf_cli.figures import matplotlib_renderer
from dmf_cli.figures import style as look
from dmf_cli.replaying import plots

STEPS, CHANGE, SPIKE = 400, 150, slice(200, 205)
OPTIONS = {"warmup": 30, "window": 100, "steps_per_epoch": 20}
TERMS = ("a", "b", "c")
HISTORIES = ("decay", "plateau", "spike", "divergence")
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"


def history(name: str) -> np.ndarray:
    """Losses ``(STEPS, 3)`` of the history ``name``."""
    t = np.arange(STEPS)
    a = np.exp(-t / (60 if name == "decay" else 250))
    if name == "plateau":
        a = np.exp(-np.minimum(t, CHANGE) / 250)
    if name == "divergence":
        a = a * np.exp(np.maximum(0, t - CHANGE) / 100)
    falling = np.stack([a, 2.0 * np.exp(-t / 150), 0.5 * np.exp(-t / 250)], axis=1)
    losses = falling + np.array([0.05, 0.1, 0.02])
    losses *= np.exp(np.random.default_rng(0).normal(0, 0.05, losses.shape))
    if name == "spike":
        losses[SPIKE, 0] *= 20
    return losses.astype("float32")


def strategy(name: str) -> weighting.Strategy:
    """The strategy with its defaults, but a memory that fits 400 steps."""
    known = lookup.keywords(getattr(weighting, name))
    options = {key: value for key, value in OPTIONS.items() if key in known}
    if name == "softadapt":
        del options["window"]
    return weighting.get(name, **options)


def replayed(losses: np.ndarray, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Name -> weights ``(STEPS, 3)``."""
    sizes = {kind: np.sqrt(losses) for kind in ("norm", "mean_abs", "max_abs")}
    return {name: weighting.replay(strategy(name), losses, gradients=sizes) for name in names}


def row(name: str, found: dict[str, dict[str, np.ndarray]]) -> str:
    """One line of the table: what `a` weighs, the rest going to `b` and `c`."""
    before = found["decay"][name][:30, 0].mean()
    ends = [found[kind][name][-100:, 0].mean() for kind in ("decay", "plateau")]
    spike = found["spike"][name][:, 0]
    quiet, after = spike[SPIKE.start - 20 : SPIKE.start].mean(), spike[SPIKE.start : SPIKE.start + 60]
    most = after[np.abs(after - quiet).argmax()]
    cells = [before, *ends, quiet, most, spike[-100:].mean(), found["divergence"][name][-100:, 0].mean()]
    before, decay, plateau, quiet, most, late, divergence = (f"{cell:.2f}" for cell in cells)
    return f"| `{name}` | {before} | {decay} | {plateau} | {quiet}, {most}, {late} | {divergence} |"


def draw(kind: str, losses: np.ndarray, weights: dict[str, np.ndarray]) -> None:
    """``docs/images/strategies_KIND.png``, with a palette: a tenth of the size."""
    with look.style():
        columns = {term: losses[:, i] for i, term in enumerate(TERMS)}
        figure = plots.weights(list(range(STEPS)), columns, weights, height=1.6)
        buffer = io.BytesIO()
        FigureCanvasAgg(matplotlib_renderer.draw(figure)).print_figure(buffer, format="png", dpi=90)
    image: Any = Image.open(buffer).convert("RGB").quantize(48, dither=Image.Dither.NONE)
    FOLDER.mkdir(parents=True, exist_ok=True)
    image.save(FOLDER / f"strategies_{kind}.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only", default="", help="names, separated by commas; default: every strategy; draws nothing"
    )
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name] or list(weighting.__registry__)
    found = {kind: replayed(history(kind), names) for kind in HISTORIES}
    print("| weighting | start | decay | plateau | spike: before, most, late | divergence |")
    print("| :-- | --: | --: | --: | :-: | --: |")
    for name in names:
        print(row(name, found))
    if not given.only:
        for kind in HISTORIES:
            draw(kind, history(kind), {n: w for n, w in found[kind].items() if n not in ("fixed", "equal")})


if __name__ == "__main__":
    main()
