"""What runs, sweeps and comparisons show in a notebook."""

import base64
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli.run_folder import headline

SHOWN = ("dice", "iou", "precision", "recall")
LARGEST = 3_000_000  # bytes of a picture that stands in a notebook


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A plain table, everything in it escaped; numbers with three digits."""
    head = "".join(f"<th>{escaped(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def escaped(what: object) -> str:
    """As text of a page."""
    return html.escape(str(what))


def picture(png: bytes, words: str, width: int = 700) -> str:
    """A PNG inside the page."""
    data = base64.b64encode(png).decode("ascii")
    style = f"max-width:{width}px;width:100%"
    return f'<img alt="{escaped(words)}" style="{style}" src="data:image/png;base64,{data}">'


def scores(summary: dict[str, Any]) -> str:
    """Means over the images, of the foreground or the mean, then of each class where there are several."""
    scope = headline.scope(summary)
    parts = {("foreground" if scope == headline.UNION else "mean over classes"): summary[scope]}
    if scope == headline.MEAN:
        parts |= dict(list(summary["classes"].items())[1:])
    rows = [(name, *(_mean(figures, key) for key in SHOWN)) for name, figures in parts.items()]
    split, images = summary["settings"].get("split") or "test", summary["counts"]["images"]
    return f"<p>{escaped(split)}, {images} images</p>" + table(("mean", *SHOWN), rows)


def run(path: Path, state: str, status: Mapping[str, Any], summary: dict[str, Any] | None) -> str:
    """How far a run is, its scores if it has any, the examples or else the curves, and where it is."""
    epoch, planned = status.get("epoch") or 0, status.get("epochs")
    key, best = headline.kept(status.get("best"))
    said = f"{state}, epoch {epoch}" + (f" of {planned}" if planned else "")
    said += f", best {key} {best:.3f}" if best is not None else ""
    said += f": {status['message']}" if state == "failed" and status.get("message") else ""
    parts = [f"<p><b>{escaped(path.resolve().name)}</b>: {escaped(said)}</p>"]
    parts += [scores(summary)] if summary else []
    parts += [_first(path, "predictions/test.png", "plots/metrics.png"), place(path)]
    return f"<div>{''.join(parts)}</div>"


def place(path: Path) -> str:
    """Where something is."""
    return f"<p><code>{escaped(path)}</code></p>"


def _first(folder: Path, *names: str) -> str:
    for file in (folder / name for name in names):
        if file.is_file() and file.stat().st_size <= LARGEST:
            return picture(file.read_bytes(), file.stem)
    return ""


def _mean(figures: dict[str, Any], key: str) -> float:
    value = (figures.get(key) or {}).get("mean")
    return math.nan if value is None else float(value)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        text = "-" if math.isnan(value) else f"{value:.3f}"
        return f'<td style="text-align:right">{text}</td>'
    return f'<td style="text-align:left">{escaped(value)}</td>'
