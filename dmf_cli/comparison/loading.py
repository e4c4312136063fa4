"""Finished runs from their folders, as far as a comparison needs them."""

import csv
import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dmf_cli import bounded, hints, metrics
from dmf_cli.comparison import own_metrics, predictions
from dmf_cli.comparison.cases import ImageCase, by_truth, read
from dmf_cli.comparison.own_metrics import OwnMetric
from dmf_cli.errors import DmfError, RunFolderError, UnknownNameError
from dmf_cli.hashes import digest
from dmf_cli.run_folder import headline, identity, index, off_values, places

METRICS = "metrics"  # folder of a run
SCORED_AS = ("resolution", "empty")  # settings that change what a score means
SCORED_FULL = ("missed", "spacing", "full_rules")  # and those of metrics=full
FOLD, FILE = "split.fold", "split.file"
COUNTS = ("lesions", "lesions_found")  # columns that are no scores
PARTS = ("train", "val", "test")  # of a split


@dataclasses.dataclass(frozen=True)
class Run:
    """One completed run.

    Args:
        path: its folder.
        config: every leaf of its config as asked for, ``{"weighting.name": "var", ...}``.
        scores: image id -> score on the test split; NaN where the metric is undefined.
        images: what was scored and how, hashed: only runs with the same value can be compared. Equal among
            the folds of one split.
        described: the same for people, ``busi, 98 test images, threshold 0.5 ...``.
        fold: number of the fold that was tested, 0 without folds.
        folds: into how many parts the images were divided; 1: one test split.
        cases: image id -> what happened on it beside its score.
        by_truth: see :func:`dmf_cli.comparison.cases.by_truth`.
        parts: how many images each part of the split has, ``{"train": 300, ...}``.
        divided: a hash of which image is in which part; empty where that is not known.
        lower: whether small values of the metric are good.
        own: what defines the metric, if it is one of the user's.
        rule: how masks were made, in words, a part of ``described``; it may differ between runs.
        rolled_back: whether it diverged and went on from before, with a lower learning rate.
    """

    path: Path
    config: Mapping[str, Any]
    scores: Mapping[str, float]
    images: str
    described: str
    fold: int = 0
    folds: int = 1
    cases: Mapping[str, ImageCase] = dataclasses.field(default_factory=dict)
    by_truth: bool = False
    parts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    divided: str = ""
    lower: bool = False
    own: OwnMetric = dataclasses.field(default_factory=OwnMetric)
    rule: str = ""
    rolled_back: bool = False


def lower_is_better(metric: str, settings: Mapping[str, Any]) -> bool:
    """Whether small values of ``metric`` are good; ``settings`` of a summary say it of the user's metrics."""
    leaf = metric.rsplit(".", 1)[-1]
    if own := own_metrics.entry(settings, leaf):
        return own.get("better") == "low"
    return leaf.removesuffix("_mm") in metrics.LOWER_IS_BETTER


def find(paths: list[Path]) -> tuple[list[Path], list[str]]:
    """The run folders that ``paths`` are or hold, each once, and a line for each path that holds none.

    Raises:
        RunFolderError: a path that does not exist or is a file, or no run at all.
    """
    folders: dict[Path, Path] = {}
    empty: list[str] = []
    for path in paths:
        if not path.is_dir():
            reason = "is a file" if path.exists() else "does not exist"
            raise RunFolderError(path=path, reason=reason, allowed="run folders, or a folder that holds some")
        inside = _runs(path)
        empty += [] if inside else [f"{path} holds no run: a run folder has a {places.CONFIG}"]
        for folder in inside:
            folders.setdefault(folder.resolve(), folder)
    if not folders:
        hint = f"a run folder holds {places.CONFIG}; `dmf train` makes one"
        raise RunFolderError(f"no run in {', '.join(map(str, paths))}", path=paths[0], hint=hint)
    return list(folders.values()), empty


def _runs(path: Path) -> list[Path]:
    """``path`` itself, or what it holds; a damaged run is one of whose two files one is left."""
    names = (places.CONFIG, places.STATUS)
    if any((path / name).is_file() for name in names):
        return [path]
    return sorted({file.parent for name in names for file in path.rglob(name)})


def table(run: Path, part: str = "test") -> Path:
    """The per-image table of one part of the split."""
    return run / METRICS / f"{part}_per_image.csv"


def load(path: Path, metric: str, part: str = "test") -> Run:
    """The run in ``path`` with its scores in ``metric`` (a column of the per-image table of ``part``).

    Raises:
        RunFolderError: not completed, or a file is missing or damaged.
        UnknownNameError: no such metric.
    """
    if not places.is_run(path):
        raise places.no_run(path)
    places.check_files(path)
    status = _json(path / places.STATUS)
    entry = index.Entry(path, status)
    if entry.state == "running":
        raise RunFolderError(path=path, reason="is running, not completed", hint="wait until it ends")
    if entry.state != "completed":
        what = entry.said if status.get("state") else "is no run"
        hint = f"`{hints.command('resume', path)}` resumes it"
        raise RunFolderError(path=path, reason=f"{what}, not completed", hint=hint)
    plain = config_of(path, checked=True)
    scored = path / METRICS / f"{part}_summary.json"
    summary = _json(scored, "settings", "classes", most=bounded.MOST_SCORES)
    split = _json(path / "split.json", most=bounded.MOST)
    settings, classes = summary.get("settings") or {}, len(summary.get("classes") or {})
    config = off_values.completed(flat(identity.as_asked(plain, status)))
    config = predictions.completed(config, classes)
    rule = predictions.rule(config, settings.get("threshold"), classes)
    truth = by_truth(metric, settings)
    images = (summary.get("counts") or {}).get("images")
    scores, cases = _scores(table(path, part), metric, truth, images)
    leaf = metric.rsplit(".", 1)[-1]
    keys: tuple[str, ...] = SCORED_AS if leaf in metrics.OF_COUNTS else (*SCORED_AS, *SCORED_FULL)
    own = OwnMetric.of(settings, leaf)
    if own.name:
        settings = {**settings, f"{leaf} with": own.parameters}
        keys = (*SCORED_AS, "spacing", f"{leaf} with")
    how = [str(split.get("fingerprint")), *(str(settings.get(key)) for key in keys)]
    # A saved split is the whole division: folds that the config has beside it were not made.
    folds, fold = (1, 0) if config.get(FILE) else (config.get("split.folds") or 1, config.get(FOLD) or 0)
    if folds == 1 and all(math.isnan(value) for value in scores.values()):
        undefined = f"{metric} is undefined on every {part} image of {path}"
        raise RunFolderError(undefined, key="--metric", value=metric, path=path, hint="give another metric")
    which = _division(config) if folds > 1 else sorted(scores)
    what = f"{folds} folds" if folds > 1 else f"{len(scores)} {part} images"
    what += f", {part} images" if folds > 1 and part != "test" else ""
    shown = [key for key in keys if key != "full_rules" and settings.get(key) is not None]
    said = [*([rule] if rule else []), *(f"{key} {settings[key]}" for key in shown)]
    described = ", ".join([str(split.get("dataset")), what, *said])
    parts = {name: len(split[name]) for name in PARTS if isinstance(split.get(name), list)}
    divided = digest(
        "\0".join(f"{name}\0{image}" for name in parts for image in sorted(map(str, split[name])))
    )
    images = digest("\0".join([*how, *which]))
    lower = lower_is_better(metric, settings)
    folded = (fold, folds, cases, truth, parts, divided)
    return Run(
        path, config, scores, images, described, *folded, lower, own, rule, bool(status.get("rollback"))
    )


def _division(config: Mapping[str, Any]) -> list[str]:
    """What decides which image is in which fold."""
    return [
        f"{key}={value}" for key, value in sorted(config.items()) if key.startswith("split.") and key != FOLD
    ]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves by their dotted key; lists are leaves."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            leaves |= flat(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def config_of(path: Path, *, checked: bool = False) -> dict[str, Any]:
    """The config of the run in ``path``; an error in it is reported in one short line.

    ``checked``: its files have been looked at.

    Raises:
        RunFolderError: there is none, or it cannot be read.
    """
    from yaml import YAMLError

    from dmf_cli.run_folder import stored_config
    from dmf_cli.run_folder.config_hash import contents

    try:
        plain = dict(stored_config.load_run(path, checked=checked).plain)
        return {**plain, **({"plugins": contents(plain["plugins"])} if plain.get("plugins") else {})}
    except DmfError as error:
        if not isinstance(error.__cause__, YAMLError):
            raise
        # In full it names the file at each of its two places, and it is one line of many.
        mark, problem = (getattr(error.__cause__, name, None) for name in ("problem_mark", "problem"))
        where = f" from line {mark.line + 1} on" if mark else ""
        why = f" ({problem})" if problem else ""
        reason = " ".join(f"cannot be read, it is not YAML{where}{why}".split())
        raise RunFolderError(path=path / places.CONFIG, reason=reason) from None


def _scores(
    file: Path, metric: str, truth: bool, images: int | None
) -> tuple[dict[str, float], dict[str, ImageCase]]:
    """Of each image; the table is whole if it has as many as the summary counts, ``images``."""
    with _readable(file), bounded.opened_text(file) as stream:
        rows = [headline.with_mean(row) for row in csv.DictReader(stream)]
        names = [name for name in (rows[0] if rows else {}) if _is_score(name)]
        if rows and metric not in names:
            raise UnknownNameError("metric", metric, names, "`dmf eval RUN metrics=full` adds distances")
        scores, cases = read(rows, metric, truth) if rows else ({}, {})
        if any(math.isinf(value) for value in scores.values()):
            raise ValueError("infinite")
        if metric.rsplit(".", 1)[-1] in metrics.OF_COUNTS and any(not 0 <= v <= 1 for v in _numbers(scores)):
            raise ValueError("not from 0 to 1")
    if not scores or (images is not None and len(rows) != images):
        reason = f"has {len(rows)} of {images} images" if scores else "has no rows"
        hint = f"`{hints.command('eval', file.parent.parent)}` writes it again"
        raise RunFolderError(path=file, reason=reason, hint=hint)
    return scores, cases


def _numbers(scores: Mapping[str, float]) -> list[float]:
    """Those that are defined."""
    return [value for value in scores.values() if not math.isnan(value)]


def _is_score(name: str | None) -> bool:
    return (
        bool(name)
        and str(name).startswith(("foreground.", "mean.", "class."))
        and str(name).rsplit(".", 1)[-1] not in COUNTS
    )


def _json(file: Path, *mappings: str, most: int = bounded.MOST_NOTE) -> dict[str, Any]:
    """What ``file`` of ``most`` bytes says: a mapping, as are those of the keys ``mappings`` that it has."""
    with _readable(file):
        content = bounded.read_json(file, most=most)
        if not isinstance(content, dict):
            raise ValueError("not a mapping")
        if wrong := [key for key in mappings if not isinstance(content.get(key) or {}, dict)]:
            raise ValueError(f"{wrong[0]} is not a mapping")
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
            part = self.file.name.split("_")[0]
            hint = "is this a finished run?"
            if self.file.parent.name == METRICS and part != "test":
                hint = f"`{hints.command('eval', self.file.parent.parent)} split={part}` writes it"
            raise RunFolderError(path=self.file, reason="is missing", hint=hint) from None
        if isinstance(error, (OSError, ValueError, KeyError, TypeError, csv.Error)):
            scores = self.file.parent.name == METRICS
            hint = "`dmf eval` writes metrics again" if scores else "copy it again"
            why = error.strerror if isinstance(error, OSError) else None
            reason = f"cannot be read ({why or type(error).__name__})"
            raise RunFolderError(path=self.file, reason=reason, hint=hint) from None
