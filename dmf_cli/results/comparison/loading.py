"""Finished runs from their folders, as far as a comparison needs them."""

import csv
import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli.errors import DmfError, RunFolderError, UnknownNameError
from dmf_cli.results import places

PER_IMAGE, SUMMARY = "metrics/test_per_image.csv", "metrics/test_summary.json"
SCORED_AS = ("threshold", "resolution", "empty")  # settings that change what a score means


@dataclasses.dataclass(frozen=True)
class Run:
    """One completed run.

    Args:
        path: its folder.
        config: every leaf of its config, ``{"weighting.name": "var", ...}``.
        scores: image id -> score on the test split; NaN where the metric is undefined.
        images: what was scored and how, hashed: only runs with the same value can be compared.
        described: the same for people, ``busi, 98 test images, threshold 0.5 ...``.
        data: like ``images`` without the images themselves: equal among the folds of one split.
    """

    path: Path
    config: Mapping[str, Any]
    scores: Mapping[str, float]
    images: str
    described: str
    data: str


def find(paths: list[Path]) -> list[Path]:
    """The run folders that ``paths`` are or hold, each once, in the order of their names.

    Raises:
        RunFolderError: a path that does not exist, or no run at all.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise RunFolderError(f"{path} does not exist: give run folders, or a folder that holds some")
        inside = (
            [path / places.CONFIG] if (path / places.CONFIG).is_file() else sorted(path.rglob(places.CONFIG))
        )
        found |= dict.fromkeys(file.parent for file in inside)
    if not found:
        raise RunFolderError(
            f"no run in {', '.join(map(str, paths))}: a run folder holds {places.CONFIG}; "
            "`dmf train` makes one"
        )
    return list(found)


def load(path: Path, metric: str) -> Run:
    """The run in ``path`` with its scores in ``metric`` (a column of its per-image table).

    Raises:
        RunFolderError: not completed, or a file is missing or damaged.
        UnknownNameError: no such metric.
    """
    state = _json(path / places.STATUS).get("state")
    if state != "completed":
        raise RunFolderError(
            f"{path} is {state or 'no run'}, not completed: `dmf resume {path}` goes on with it"
        )
    settings, split = _json(path / SUMMARY).get("settings", {}), _json(path / "split.json")
    scores = _scores(path / PER_IMAGE, metric)
    how = [str(settings.get(key)) for key in SCORED_AS]
    data = _hash([str(split.get("fingerprint")), *how])
    described = ", ".join(
        [
            str(split.get("dataset")),
            f"{len(scores)} test images",
            *(f"{k} {v}" for k, v in zip(SCORED_AS, how, strict=True)),
        ]
    )
    return Run(path, _config(path), scores, _hash([data, *sorted(scores)]), described, data)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves by their dotted key; lists are leaves."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            leaves |= flat(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def _config(path: Path) -> dict[str, Any]:
    from dmf_cli import config as configs

    try:
        return flat(configs.load_run(path))
    except DmfError as error:
        raise RunFolderError(str(error)) from None


def _scores(file: Path, metric: str) -> dict[str, float]:
    with _readable(file), file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
        names = [
            name for name in (rows[0] if rows else {}) if name and name.startswith(("foreground.", "class."))
        ]
        if rows and metric not in names:
            raise UnknownNameError("metric", metric, names)
        scores = {row["id"]: float(row[metric] or math.nan) for row in rows}
    if not scores:
        raise RunFolderError(f"{file} has no rows: `dmf eval {file.parent.parent}` writes it again")
    return scores


def _json(file: Path) -> dict[str, Any]:
    with _readable(file):
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not a mapping")
        return content


class _readable:  # noqa: N801 - reads as what it promises
    """Whatever is wrong with ``file`` as one line."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DmfError):
            return
        if isinstance(error, FileNotFoundError):
            raise RunFolderError(f"{self.file} is missing: is this a finished run?") from None
        if isinstance(error, (OSError, ValueError, KeyError, TypeError, csv.Error)):
            raise RunFolderError(
                f"{self.file} cannot be read ({type(error).__name__}): `dmf eval` writes metrics again"
            ) from None


def _hash(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
