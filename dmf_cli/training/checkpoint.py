"""Everything a run needs to continue bitwise as if it had not stopped, in one file.

Keras's own weight files omit the state of seed generators and of the optimizer, so a checkpoint
is a plain ``.npz`` of all variables of model and optimizer plus a JSON note (epoch, callbacks).
"""

import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dmf_cli.errors import CheckpointError
from dmf_cli.files import write_atomic

NOTE = "note"
AGAIN = "copy it again, or start a new run"
NOTE_BYTES = 2**24  # more than any note takes


def save(path: Path, model: keras.Model, note: dict[str, Any]) -> None:
    """Write the whole training state of ``model`` and ``note`` (JSON-able) to ``path``, atomically."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
    arrays = {key: _as_array(v) for key, v in _variables(model).items()}
    buffer = io.BytesIO()
    arrays[NOTE] = np.array(json.dumps(note))
    # NumPy 1 takes allow_pickle for the name of an array, and the stubs of NumPy 2 any array for that option.
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_atomic(path, buffer.getvalue())


def _as_array(variable: keras.Variable) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable.value))


def load(path: Path, model: keras.Model) -> dict[str, Any]:
    """Restore ``model`` from ``path`` and return the note.

    Raises:
        CheckpointError: the file is missing, damaged, or of a model with other variables.
    """
    variables = _variables(model)
    stored = _read(path, sum(v.nbytes for v in map(_as_array, variables.values())))
    note = _note(path, stored)
    theirs, ours = {k: v.shape for k, v in stored.items()}, {k: tuple(v.shape) for k, v in variables.items()}
    if theirs != ours:
        other = next(k for k in {**ours, **theirs} if ours.get(k) != theirs.get(k))
        raise CheckpointError(
            path=path,
            reason="belongs to another model",
            hint=f"{other} is {theirs.get(other, 'absent')} there and {ours.get(other, 'absent')} here; "
            "resume with the config of the run",
        )
    for key, variable in variables.items():
        variable.assign(stored[key])
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its variables
    return note


def _note(path: Path, stored: dict[str, np.ndarray]) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads(str(stored.pop(NOTE)))
        if isinstance(note["epoch"], int):
            return note
    except (KeyError, TypeError, ValueError):
        pass
    raise CheckpointError(path=path, reason="has no note of its epoch", hint=AGAIN)


def _read(path: Path, wanted: int) -> dict[str, np.ndarray]:
    """The arrays of a file that has no more than the ``wanted`` bytes of a model, and a note."""
    try:
        # Opened here: NumPy leaves a file open that turns out not to be an archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            sizes = [_size(archive, name) for name in archive.files]
            if sum(sizes) > wanted + NOTE_BYTES:  # before anything is allocated
                raise CheckpointError(
                    path=path,
                    reason="belongs to another model",
                    hint=f"it holds {sum(sizes):,} bytes, and this model has {wanted:,}; resume with the "
                    "config of the run",
                )
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise CheckpointError(path=path, reason="is missing", hint="start a new run") from None
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, MemoryError, zlib.error) as error:
        raise CheckpointError(path=path, reason=f"cannot be read ({error})", hint=AGAIN) from None


def _size(archive: Any, name: str) -> int:
    """Bytes of an array as its header says: no zip archive has to say the same of itself."""
    with archive.zip.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
    return math.prod(shape) * dtype.itemsize


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """All variables that training reads, by position: Keras counts on in names within one process."""
    counters = {id(v) for v in model.metrics_variables}  # zero at the start of an epoch
    kept = [v for v in model.variables if id(v) not in counters]
    owners = {"model": kept, "optimizer": model.optimizer.variables}
    return {f"{owner}/{i:04d}": v for owner, found in owners.items() for i, v in enumerate(found)}
