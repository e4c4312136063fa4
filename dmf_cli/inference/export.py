"""A run's best network as one file or folder that needs nothing of dmf, and a note of how to use it."""

import contextlib
import dataclasses
import functools
import importlib.util
import io
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import dmf_cli
from dmf_cli import hints
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError, RunError, RunFolderError, UnknownNameError
from dmf_cli.files import write_atomic
from dmf_cli.inference import export_note
from dmf_cli.inference.prediction import Prediction
from dmf_cli.run_folder.folder import RunFolder

SUFFIXES = {"keras": ".keras", "onnx": ".onnx", "savedmodel": ""}
NAMES = {"keras": "model.keras", "onnx": "model.onnx", "savedmodel": "savedmodel"}


def place(run: Path, kind: str) -> Path:
    """Where the network of a run goes unless the user says.

    Raises:
        UnknownNameError: there is no format ``kind``.
    """
    if kind not in NAMES:
        raise UnknownNameError("format", kind, NAMES)
    return run / "export" / NAMES[kind]


def check(kind: str, output: Path) -> None:
    """Whether ``output`` can be written in this format: asked before anything slow is imported.

    Raises:
        UsageError: something is there already, the place is read-only, the suffix is that of
            another format, or a package is missing.
    """
    for path in (output, note_path(output)):
        _refuse_existing(path)
    if output.suffix != SUFFIXES[kind] and (output.suffix in SUFFIXES.values() or SUFFIXES[kind]):
        wanted = f"ends with {SUFFIXES[kind]}" if SUFFIXES[kind] else "is a folder"
        what = f"-o {output} does not fit --format {kind}"
        hint = f"choose a name that {wanted}, or another --format"
        raise ConfigError(what, key="-o", value=output, hint=hint)
    above = next(folder for folder in output.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise _refused(output, "read-only" if above.is_dir() else f"{above} is a file")
    if kind == "onnx" and importlib.util.find_spec("tf2onnx") is None:
        what = "--format onnx needs the package tf2onnx"
        raise ConfigError(what, key="--format", value=kind, hint=hints.install("export"))


def check_network(network: Any, kind: str) -> None:
    """Refuse what would be written without an error and predict something else.

    Graphs of keras-hub's networks normalise with the batch's statistics, and as ONNX take one batch size.

    Raises:
        ConfigError: a network of keras-hub in another format than ``keras``.
    """
    if kind != "keras" and any(type(layer).__module__.startswith("keras_hub") for layer in network.layers):
        what = f"--format {kind} gives other masks for networks of keras-hub"
        hint = "use --format keras, which needs keras-hub where it is loaded"
        raise ConfigError(what, key="--format", value=kind, hint=hint)


def note_path(output: Path) -> Path:
    """The JSON file beside the exported network."""
    return output.with_name(f"{output.name}.json")


def export_runs(paths: Sequence[Path], config: Config, kind: str, output: Path) -> dict[str, Any]:
    """Write the best network of a run, or the mean of several, to ``output``, and a note of how to use it.

    Mirrors, the mean and the temperature are in the network; the rest of the prediction is in the note. Of a
    network of patches so is the temperature, which comes after the tiles are joined.

    Args:
        paths: the run folders.
        config: of the first run, possibly with other settings of the prediction.
        kind: ``keras``, ``onnx`` or ``savedmodel``.
        output: the file, or folder, to make.

    Returns:
        The note: ``format``, ``input`` and ``output`` of the network, where it comes from.

    Raises:
        UsageError: not a run, or ``output`` exists or cannot be written.
        CheckpointError: no epoch of a run was finished.
    """
    from dmf_cli import runtime
    from dmf_cli.inference.ensemble import Ensemble, for_images
    from dmf_cli.inference.merged import inside, merge

    ensemble, config = Ensemble.of(paths), for_images(config)
    # Converters read TensorFlow graphs, whatever the run was trained on; nothing here needs a GPU.
    trainer = dataclasses.replace(config.trainer, backend="tensorflow", device="cpu", precision="float32")
    runtime.start(dataclasses.replace(trainer, jit=False, deterministic=False))
    ensemble = ensemble.loaded()
    for member in ensemble.members:
        check_network(member.network, kind)
    prediction = ensemble.prediction(config)
    network = merge([in_float32(member.network) for member in ensemble.members], prediction)
    made_of = {"networks": len(paths), "mirror": prediction.mirror, "temperature": inside(prediction)}
    note = {
        "format": kind,
        **usage(network, prediction, ensemble.class_names()),
        "inside": made_of,
        **_origin([member.run for member in ensemble.members]),
    }
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(network, kind, output)
    except OSError as error:
        raise _refused(output, error.strerror or str(error)) from error
    write_atomic(note_path(output), json.dumps(note, indent=2) + "\n")
    return note


def usage(network: Any, prediction: Prediction, classes: Sequence[str]) -> dict[str, Any]:
    """What goes into ``network`` and what comes out, JSON-able.

    Args:
        network: that is exported.
        prediction: how images become inputs and outputs become masks.
        classes: of the masks, background first.
    """
    spec, channels = prediction.spec, network.output_shape[-1]
    return {
        "input": {
            "shape": [None, *spec.network_size, spec.channels],
            "axes": "batch, height, width, channels",
            "dtype": "float32",
            **export_note.image_to_input(spec),
        },
        "output": {
            "shape": [None, *network.output_shape[1:]],
            "values": "sigmoid: foreground probability" if channels == 1 else "softmax over classes",
            "classes": list(classes),
            **export_note.output_to_mask(prediction, len(classes)),
        },
    }


def in_float32(network: Any) -> Any:
    """``network`` with every layer computing in float32; itself if it does so already."""
    config = network.get_config()
    plain = _float32(config)
    if plain == config:
        return network
    import keras

    kinds = {type(one) for one in network._flatten_layers(include_self=False)}
    own = {one.__name__: one for one in kinds if not one.__module__.startswith("keras.")}
    with keras.saving.custom_object_scope(own):
        copy = type(network).from_config(plain)
    copy.set_weights(network.get_weights())
    return copy


def _float32(config: Any) -> Any:
    """A Keras config in which every precision policy is float32."""
    if isinstance(config, Mapping):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {**config["config"], "name": "float32"}}
        return {key: _float32(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_float32(value) for value in config)
    return config


def _refuse_existing(path: Path) -> None:
    if path.exists():
        hint = "choose another name by -o PATH, or remove it"
        raise RunFolderError(path=path, reason="exists already", hint=hint)


def _refused(output: Path, reason: str) -> RunFolderError:
    what = f"cannot write {output} ({reason})"
    return RunFolderError(what, path=output, hint="choose another place by -o PATH")


def _write_whole(network: Any, kind: str, output: Path) -> None:
    """Write under a temporary name in the same folder, then rename."""
    with tempfile.TemporaryDirectory(prefix=f".{output.name[:100]}.", dir=output.parent) as folder:
        temporary = Path(folder) / f"model{SUFFIXES[kind]}"
        # Converters talk, and warn about each other's versions.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "keras":
                network.save(temporary)
            elif kind == "onnx":
                _write_onnx(network, temporary)
            else:
                network.export(str(temporary))
        _refuse_existing(output)  # made meanwhile: a rename would replace it
        shutil.move(temporary, output)


def _write_onnx(network: Any, path: Path) -> None:
    import keras

    from dmf_cli.ops.backend import keras_from

    if not keras_from(3, 8):
        what = f"--format onnx needs Keras 3.8 or newer and this is {keras.__version__}"
        hint = "pip install -U keras, or use --format savedmodel"
        raise ConfigError(what, key="--format", value="onnx", hint=hint)
    import onnx

    _teach_erfc()
    network(np.zeros((1, *network.input_shape[1:]), "float32"))  # Keras exports what was called once
    network.export(str(path), format="onnx")
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:  # tf2onnx only logs what it cannot convert
        reason = " ".join(str(error).split())[:150]
        what = f"this network cannot be exported as ONNX ({reason})"
        raise RunError(what, key="--format", value="onnx", hint="use --format savedmodel") from error


@functools.cache
def _teach_erfc() -> None:
    """TensorFlow's exact GELU has the operation Erfc, which tf2onnx 1.17 does not know: 1 - Erf."""
    from tf2onnx import utils
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class _Erfc:
        @classmethod
        def version_9(cls, graph: Any, node: Any, **_: Any) -> None:  # tf2onnx finds it by this name
            shapes, types = [graph.get_shape(node.output[0])], [graph.get_dtype(node.output[0])]
            one = graph.make_const(utils.make_name("one"), np.array(1.0, np.float32)).output[0]
            erf = graph.make_node("Erf", [node.input[0]], shapes=shapes, dtypes=types).output[0]
            graph.remove_node(node.name)
            graph.make_node(
                "Sub", [one, erf], outputs=node.output, name=node.name, shapes=shapes, dtypes=types
            )


def _origin(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """Which runs the networks are from; the state is that of the first that is not complete."""
    import keras

    statuses = [run.read_status() for run in runs]
    best = [one.get("best") for one in statuses]
    epochs = [one.get("epoch") if isinstance(one, dict) else None for one in best]
    names = [run.path.absolute().name for run in runs]
    states = [one.get("state") for one in statuses]
    return {
        "run": names[0] if len(runs) == 1 else names,
        "state": next((state for state in states if state != "completed"), "completed"),
        "epoch": epochs[0] if len(runs) == 1 else epochs,
        "versions": {"dmf": dmf_cli.__version__, "keras": keras.__version__},
    }
