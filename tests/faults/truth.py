"""What has to hold of a run's folder at any moment, and what a resumed run has to be equal in."""

import csv
import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dmf_cli import hashes
from dmf_cli.errors import CheckpointError, DmfError
from dmf_cli.run_folder import checkpoint_file
from dmf_cli.run_folder.folder import STATES, RunFolder

Position = tuple[int, int]  # epoch, step of the next one
NOWHERE: Position = (-1, 0)
OF_ITS_PROCESS = ("pid", "host", "started", "updated", "ended", "network")
SAME = ("steps.csv", "metrics/test_per_image.csv", "metrics/test_summary.csv", "split.json", "inputs.json")
AT_THE_END = "at the end: "  # begins what the status of the resumed run says wrongly
EARLIER = ("best.1.keras", "last.1.npz")  # a resumed run may have more or less of what is older


def position(folder: Path) -> Position:
    """The epoch and step from which the run would be resumed; :data:`NOWHERE` where it has no checkpoint."""
    try:
        _, note, _ = checkpoint_file.newest(RunFolder(folder).last_checkpoint)
    except CheckpointError:
        return NOWHERE
    return note["epoch"], note.get("step", 0)


def waits(folder: Path) -> bool:
    """Whether the checkpoint calls a network the best that has not got its place yet."""
    if position(folder) == NOWHERE:
        return False
    run = RunFolder(folder)
    _, note, _ = checkpoint_file.newest(run.last_checkpoint)
    return run.best_after(note) != run.best_model


def completed(folder: Path) -> bool:
    """Whether the status says so: `dmf resume` would refuse the run."""
    return RunFolder(folder).read_status().get("state") == "completed"


def losses(folder: Path, reached: Position) -> list[str]:
    """What a crash has cost: a checkpoint that there was, its best network, or rows of its epochs."""
    run, now = RunFolder(folder), position(folder)
    if now < reached:
        return [f"continues from {now} and not from {reached}"]
    if now == NOWHERE:
        return []
    _, note, _ = checkpoint_file.newest(run.last_checkpoint)
    found = []
    if wanted := note.get("network"):
        best = run.best_after(note)
        if not best.is_file() or hashes.of_file(best) != wanted:
            found.append("the best network of the checkpoint is gone")
    try:
        epochs, steps = run.read_epochs(), run.read_steps()
    except DmfError as error:
        return [*found, str(error)]
    for name, columns in (("epochs.csv", epochs), ("steps.csv", steps)):
        there = {int(epoch) for epoch in columns.get("epoch", [])}
        if gone := set(range(1, note["epoch"] + 1)) - there:
            found.append(f"{name} has no rows of the epochs {sorted(gone)}")
    return found


def lies(folder: Path) -> list[str]:
    """What ``status.json`` says and is not so."""
    run = RunFolder(folder)
    try:
        status = json.loads(run.status_file.read_text())
    except FileNotFoundError:
        return [] if position(folder) == NOWHERE else ["status.json is gone"]
    except ValueError:
        return ["status.json is torn"]
    found = []
    if status.get("state") not in STATES:
        found.append(f"state {status.get('state')}")
    epoch, best = status.get("epoch", 0), status.get("best") or {}
    if epoch > max(0, position(folder)[0]):
        found.append(f"epoch {epoch}, which no checkpoint has")
    if best.get("epoch"):
        found += _wrong_best(run, best)
    if status.get("state") == "completed" and hashes.of_file(run.best_model) != status["network"][0]:
        found.append("completed with another network")
    return found


def _wrong_best(run: RunFolder, best: dict[str, Any]) -> list[str]:
    epochs = run.read_epochs()
    (monitor,) = [name for name in best if name.startswith("val_")][:1]
    rows = dict(zip(epochs.get("epoch", []), epochs.get(monitor, []), strict=True))
    value = rows.get(best["epoch"], math.nan)
    same = best[monitor] is not None and math.isclose(value, best[monitor], rel_tol=1e-6)
    return [] if same else [f"best epoch {best['epoch']} with {best[monitor]}, and its row has {value}"]


def differences(whole: Path, run: Path) -> list[str]:
    """In what ``run``, which was resumed, is not the undisturbed run ``whole``."""
    found = [f"{name} differs" for name in SAME if _bytes(whole / name) != _bytes(run / name)]
    found += _unlike("file", _names(whole), _names(run))
    found += _unlike("status", *(_status(folder) for folder in (whole, run)))
    found += _unlike("epochs.csv", *(_rows(folder / "epochs.csv") for folder in (whole, run)))
    found += _unlike("last.npz", *(_checkpoint(RunFolder(folder)) for folder in (whole, run)))
    found += _unlike("best.keras", *(_network(RunFolder(folder).best_model) for folder in (whole, run)))
    found += _unlike("summary", *(_summary(folder) for folder in (whole, run)))
    return found + [f"{AT_THE_END}{lie}" for lie in lies(run)]


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""


def _unlike(what: str, one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    keys = [key for key in {**one, **other} if not _same(one.get(key), other.get(key))]
    return [f"{what} {key} differs" for key in keys[:3]]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    return type(one) is type(other) and one == other


def _names(folder: Path) -> dict[str, Any]:
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return {str(name): True for name in names if name.name not in EARLIER}


def _status(folder: Path) -> dict[str, Any]:
    status = json.loads((folder / "status.json").read_text())
    return {key: value for key, value in status.items() if key not in OF_ITS_PROCESS}


def _rows(file: Path) -> dict[str, Any]:
    with file.open(newline="") as opened:
        return {row["epoch"]: {**row, "seconds": 0} for row in csv.DictReader(opened)}


def _checkpoint(run: RunFolder) -> dict[str, Any]:
    arrays, note = checkpoint_file.read(run.last_checkpoint, 2**30)
    return {**arrays, **{key: note[key] for key in note if key not in ("seconds", "network")}}


def _network(file: Path) -> dict[str, Any]:
    """Its weights: the archive has the time of its writing."""
    found: dict[str, Any] = {}
    with zipfile.ZipFile(file) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
        weights.visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def _summary(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "metrics/test_summary.json").read_text()))
