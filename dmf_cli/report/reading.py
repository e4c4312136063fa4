"""What the files of a run say; whatever is missing or damaged is reported in one line and skipped."""

import csv
import dataclasses
import datetime
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dmf_cli import bounded, hints
from dmf_cli.comparison import loading
from dmf_cli.errors import DmfError, RunFolderError
from dmf_cli.files import disk_errors
from dmf_cli.inference import tables
from dmf_cli.run_folder import cases, csv_log, headline, places
from dmf_cli.run_folder.cases import Example
from dmf_cli.run_folder.csv_log import Columns
from dmf_cli.run_folder.folder import RunFolder

LOG_LINES = 40
T = TypeVar("T")


@dataclasses.dataclass
class RunFacts:
    """One run, as far as its folder shows.

    Args:
        path: the folder.
        config: plain data; empty if it cannot be read.
        status: of ``status.json``.
        environment: of ``environment.json``.
        split: of ``split.json``: ids by part.
        chosen: of ``prediction.json``: what stands for ``auto`` in predictions.
        epochs: columns of ``epochs.csv``.
        steps: columns of ``steps.csv``.
        insight: columns of ``insight.csv``.
        summaries: what was scored -> the figures; the test split first.
        per_image: what was scored -> one row an image, as text.
        cases: what was scored -> the worst and best images.
        log: the last lines of ``train.log`` of a run that failed.
        problems: an error for each thing that could not be read.
    """

    path: Path
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    status: dict[str, Any] = dataclasses.field(default_factory=dict)
    environment: dict[str, Any] = dataclasses.field(default_factory=dict)
    split: dict[str, Any] = dataclasses.field(default_factory=dict)
    chosen: dict[str, Any] = dataclasses.field(default_factory=dict)
    epochs: Columns = dataclasses.field(default_factory=dict)
    steps: Columns = dataclasses.field(default_factory=dict)
    insight: Columns = dataclasses.field(default_factory=dict)
    summaries: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    per_image: dict[str, list[dict[str, str]]] = dataclasses.field(default_factory=dict)
    cases: dict[str, list[Example]] = dataclasses.field(default_factory=dict)
    log: list[str] = dataclasses.field(default_factory=list)
    problems: list[DmfError] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def state(self) -> str:
        """``completed running failed interrupted``, or ``unknown``."""
        return str(self.status.get("state", "unknown"))

    @property
    def terms(self) -> list[str]:
        """The loss terms, in the order of the expression."""
        columns = self.steps or self.epochs
        terms = [name.removeprefix("loss.") for name in columns if name.startswith("loss.")]
        return terms or list(_group(self.config, "loss").get("terms") or {})

    def attempt(self, read: Callable[[Path], T], file: Path) -> T | None:
        """What ``read`` makes of ``file``; None, and one more problem, if it cannot."""
        try:
            return read(file)
        except DmfError as error:
            self.problems.append(error)
            return None

    @property
    def notes(self) -> list[str]:
        """The problems, in one line each."""
        return [" ".join(str(error).split()) for error in self.problems]

    @property
    def seconds(self) -> float | None:
        """What the epochs took together."""
        known = [value for value in self.epochs.get("seconds", []) if value == value]
        return sum(known) if known else None


def read(path: Path, *, brief: bool = False) -> RunFacts:
    """Everything that can be read of the run in ``path``.

    Args:
        path: the folder.
        brief: omit steps, gradients, single images and the log: it is one of many.

    Raises:
        RunFolderError: ``path`` is not a run.
    """
    run = RunFolder.open(path, reading=True)
    facts = RunFacts(run.path)
    facts.config = facts.attempt(loading.config_of, run.path) or {}
    facts.status = facts.attempt(_status, run.status_file) or {}
    if not facts.config and not facts.status:
        reason = f"is not a run folder (neither {places.CONFIG} nor {places.STATUS} is one of a run)"
        hint = "give the folder that `dmf train` printed"
        raise RunFolderError(path=path, reason=reason, hint=hint)
    facts.epochs = facts.attempt(partial(_columns, "epoch"), run.epochs_file) or {}
    if brief:
        file = run.metrics / "test_summary.json"
        facts.summaries = (
            {"test": figures} if file.exists() and (figures := facts.attempt(_summary, file)) else {}
        )
        return facts
    facts.environment = facts.attempt(_json, run.environment_file) or {}
    facts.split = facts.attempt(_json, run.split_file) or {}
    if (file := run.path / "prediction.json").is_file():
        facts.chosen = facts.attempt(_json, file) or {}
    facts.steps = facts.attempt(partial(_columns, "step"), run.steps_file) or {}
    facts.insight = facts.attempt(partial(_columns, "step"), run.insight_file) or {}
    for name in _scored(run.metrics):
        if figures := facts.attempt(_summary, run.metrics / f"{name}_summary.json"):
            facts.summaries[name] = figures
        if rows := facts.attempt(_rows, run.metrics / f"{name}_per_image.csv"):
            facts.per_image[name] = rows
        if kept := facts.attempt(cases.read, run.predictions / f"{name}_cases"):
            facts.cases[name] = kept
    if facts.state == "failed":
        facts.log = facts.attempt(_tail, run.log) or []
    facts.problems += _lacking(facts)
    return facts


def when(text: Any) -> str:
    """An ISO time as people write it, or nothing."""
    try:
        return datetime.datetime.fromisoformat(str(text)).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return ""


def _lacking(facts: RunFacts) -> list[DmfError]:
    """What a run in this state should have and does not."""
    lacks: list[DmfError] = []
    known = " ".join(facts.notes)
    if not facts.epochs and "epochs.csv" not in known:
        reason = "has no finished epoch, so there are no curves"
        lacks.append(RunFolderError(path=facts.path / "epochs.csv", reason=reason))
    if facts.state == "completed" and not facts.summaries and "summary" not in known:
        hint = f"`{hints.command('eval', facts.path)}` writes them"
        lacks.append(RunFolderError(path=facts.path / "metrics", reason="has no scores", hint=hint))
    return lacks


def _scored(folder: Path) -> list[str]:
    """What was scored, from the names of the files: ``test`` first."""
    names = {
        file.name.removesuffix(end)
        for end in ("_summary.json", "_per_image.csv")
        for file in folder.glob(f"*{end}")
        if not file.name.startswith(".")
    }
    return sorted(names, key=lambda name: (name != "test", name))


def _columns(needed: str, file: Path) -> Columns:
    """The columns of ``file``, which has those that everything is drawn over."""
    columns = csv_log.read(file)
    if columns and needed not in columns:
        reason = f"has no column {needed!r}, so it is not the file that the run wrote"
        raise RunFolderError(path=file, reason=reason)
    return columns


def _status(file: Path) -> dict[str, Any]:
    """What ``status.json`` says; a part of it that makes no sense is skipped."""
    status = _json(file)
    kinds: dict[str, type] = {"best": dict, "epochs": int, "skipped_steps": int, "message": str}
    kinds |= {"never_predicted": list, "plan": dict, "rollback": dict}
    return {key: value for key, value in status.items() if isinstance(value, kinds.get(key, object))}


def _json(file: Path, most: int = bounded.MOST_NOTE) -> dict[str, Any]:
    try:
        with disk_errors(file, "read"):
            content = bounded.read_json(file, errors="replace", most=most)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RunFolderError(path=file, reason="is damaged, it is not a JSON mapping")
    return content


def _summary(file: Path) -> dict[str, Any]:
    """The figures, with the NaN back that strict JSON has no word for."""
    content = _json(file, bounded.MOST_SCORES)
    figures = {key: value if key == "settings" else _nan(value) for key, value in content.items()}
    try:  # whatever a table of it needs has to be there
        tables.title(figures), tables.notes(figures), tables.sections(figures)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise _damaged(file) from None
    return figures


def _damaged(file: Path) -> RunFolderError:
    hint = f"`{hints.command('eval', file.parent.parent)}` writes it again"
    return RunFolderError(path=file, reason="is damaged", hint=hint)


def _nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nan(item) for key, item in value.items()}
    return float("nan") if value is None else value


def _rows(file: Path) -> list[dict[str, str]]:
    with disk_errors(file, "read"), bounded.opened_text(file, errors="replace") as stream:
        try:
            rows = list(csv.DictReader(stream))
        except csv.Error as error:
            raise RunFolderError(path=file, reason=f"is damaged ({error})") from None
    whole = [row for row in rows if None not in row and None not in row.values()]
    if rows and (len(whole) < len(rows) or "foreground.dice" not in rows[0]):
        raise _damaged(file)
    return [headline.with_mean(row) for row in whole]


def _tail(file: Path) -> list[str]:
    with disk_errors(file, "read"):
        return bounded.read_text(file, errors="replace").splitlines()[-LOG_LINES:]


def _group(config: dict[str, Any], name: str) -> dict[str, Any]:
    group = config.get(name)
    return group if isinstance(group, dict) else {}
