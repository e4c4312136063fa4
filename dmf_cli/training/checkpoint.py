"""Everything a run needs to continue bitwise as if it had not stopped, in one file.

Keras's own weight files omit the state of seed generators and of the optimizer, so a checkpoint
is a plain ``.npz`` of all variables of model and optimizer plus a JSON note (epoch, step, callbacks). One
that is made inside an epoch has what the metrics have counted too. The files are
:mod:`dmf_cli.run_folder.checkpoint_file`'s.
"""

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dmf_cli import hosts
from dmf_cli.errors import CheckpointError
from dmf_cli.hashes import of_parts
from dmf_cli.ops.backend import to_numpy
from dmf_cli.run_folder import checkpoint_file
from dmf_cli.run_folder.folder import RunFolder

COUNTED = "counted"  # in a note that was read: the arrays of the metrics
Arrays = dict[str, np.ndarray]


def save(
    path: Path, model: keras.Model, note: dict[str, Any], counted: Arrays | None = None, keep: int = 1
) -> None:
    """Write the whole training state of ``model`` and ``note`` (JSON-able) to ``path``, atomically.

    Args:
        path: ``last.npz`` of a run.
        model: compiled.
        note: with ``epoch``, and ``step`` of the next one where it is inside.
        counted: of :func:`counted`, inside an epoch.
        keep: how many of the last checkpoints stay beside each other.
    """
    synchronize(model)
    arrays = {key: to_numpy(v) for key, v in _variables(model).items()}
    checkpoint_file.write(path, {**arrays, **(counted or {})}, note, keep)


def load(path: Path, model: keras.Model) -> dict[str, Any]:
    """Restore ``model`` from ``path`` and return the note, with what the metrics had ``counted``.

    Raises:
        CheckpointError: the file is missing, damaged, or of a model with other variables.
    """
    variables = _variables(model)
    metrics = sum(to_numpy(v).nbytes for v in model.metrics_variables)
    stored, note = checkpoint_file.read(
        path, metrics + sum(v.nbytes for v in map(to_numpy, variables.values()))
    )
    counts = {key: stored.pop(key) for key in list(stored) if key.startswith("metrics/")}
    theirs, ours = {k: v.shape for k, v in stored.items()}, {k: tuple(v.shape) for k, v in variables.items()}
    _check_shapes(path, theirs, ours)
    for key, variable in variables.items():
        variable.assign(stored[key])
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its variables
    return {**note, COUNTED: counts} if counts else note


def restore(
    run: RunFolder, model: keras.Model, wanted: Callable[[dict[str, Any]], bool] = lambda note: True
) -> dict[str, Any]:
    """Put ``run``, which this process holds, and ``model`` back to the newest checkpoint that can be read.

    Returns:
        The note of :func:`load`, and ``lost``: a line for each newer checkpoint that is damaged.

    Raises:
        CheckpointError: there is none that is ``wanted``, or it is of another model.
    """
    file, _, lost = checkpoint_file.newest(run.last_checkpoint, wanted)
    note = {**load(file, model), "lost": lost}
    if hosts.count() > 1:
        hosts.check_same(fingerprint(model, note), "continue from the same checkpoint")
    checkpoint_file.take(run.last_checkpoint, file)
    run.settle_best(note)
    run.truncate_after(note["epoch"])
    return note


def fingerprint(model: keras.Model, note: dict[str, Any] | None = None) -> str:
    """64 hex digits that are the same for the same training state, at the step of ``note``."""
    step = "" if note is None else f"{note['epoch']} {note.get('step', 0)}"
    arrays = (np.ascontiguousarray(to_numpy(v)).tobytes() for v in _variables(model).values())
    return of_parts(itertools.chain([step.encode()], arrays))


def counted(model: keras.Model, metrics: Iterable[keras.metrics.Metric]) -> Arrays:
    """What ``metrics`` hold now."""
    synchronize(model)
    return {key: to_numpy(variable) for key, variable in _counters(metrics).items()}


def restore_counted(metrics: Iterable[keras.metrics.Metric], stored: Arrays) -> None:
    """Give ``metrics`` what they had :func:`counted`.

    Raises:
        CheckpointError: they are others.
    """
    counters = _counters(metrics)
    known = {key: stored[key].shape for key in counters if key in stored}
    _check_shapes("the checkpoint", known, {key: tuple(v.shape) for key, v in counters.items()})
    for key, variable in counters.items():
        variable.assign(stored[key])


def synchronize(model: keras.Model) -> None:
    """On JAX the variables are behind the compiled step while a training runs."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


def _check_shapes(path: Path | str, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    if theirs != ours:
        other = next(k for k in {**ours, **theirs} if ours.get(k) != theirs.get(k))
        raise CheckpointError(
            path=path,
            reason="belongs to another model",
            hint=f"{other} is {theirs.get(other, 'absent')} there and {ours.get(other, 'absent')} here; "
            "resume with the config of the run",
        )


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """All variables that training reads, by position: Keras counts on in names within one process."""
    counters = {id(v) for v in model.metrics_variables}  # zero at the start of an epoch
    kept = [v for v in model.variables if id(v) not in counters]
    owners = {"model": kept, "optimizer": model.optimizer.variables}
    return {f"{owner}/{i:04d}": v for owner, found in owners.items() for i, v in enumerate(found)}


def _counters(metrics: Iterable[keras.metrics.Metric]) -> dict[str, keras.Variable]:
    return {f"metrics/{one.name}/{i}": v for one in metrics for i, v in enumerate(one.variables)}
