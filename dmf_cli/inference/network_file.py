"""The best network of a run, read back from its file, which may ask for no more memory than there is."""

import contextlib
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dmf_cli import hints, machine
from dmf_cli.errors import CheckpointError, DmfError
from dmf_cli.parts import loading, plugins
from dmf_cli.run_folder import stored_config
from dmf_cli.run_folder.folder import RunFolder

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
DESCRIPTION = 2**26  # bytes: no description of a network is that long
SLACK = 2**24  # bytes: what a file of weights may hold beside them, or less of them than it says
DO = "put a whole copy of it back, or train the run again"


def load_network(path: Path) -> Any:
    """The plain Keras network that a run kept as its best.

    Args:
        path: ``checkpoints/best.keras`` of a run.

    Raises:
        CheckpointError: it is missing (no epoch was finished, or it was removed), damaged, too large for
            this machine, no network for images, or needs a package.
    """
    import keras

    if not path.exists():
        raise _missing(path)
    known = _plugins_of(path)
    untrusted = [one for one in known if one.untrusted]
    layers = {
        name: one for plugin in known if not plugin.untrusted for name, one in _layers_of(plugin).items()
    }
    try:
        _check_weights(path)
        with _known_to_keras(layers):
            network = keras.models.load_model(path, compile=False)
    except CheckpointError:
        raise
    except MemoryError:
        raise CheckpointError(path=path, reason="is too large for the memory of this machine") from None
    except Exception as error:  # Keras raises whatever its layers do
        if isinstance(error, TypeError) and "keras_hub" in str(error):  # it cannot import a layer's class
            raise CheckpointError(path=path, reason="needs keras-hub", hint=hints.install("hub")) from error
        if unknown := own_layers(path):
            if untrusted:
                raise untrusted[0].refusal() from error
            reason = f"has layers that are not known here ({', '.join(unknown)})"
            hint = "give the file that defines them, as plugins=PATH"
            raise CheckpointError(path=path, reason=reason, hint=hint) from error
        # Of a file that is cut off Keras says that there is none.
        why = str(error).partition("\n")[0] or type(error).__name__
        reason = f"cannot be read ({why})" if zipfile.is_zipfile(path) else "is damaged"
        raise CheckpointError(path=path, reason=reason, hint=DO) from error
    _check_network(path, network)
    return network


@contextlib.contextmanager
def _known_to_keras(layers: Mapping[str, type]) -> Iterator[None]:
    """Keras knows ``layers`` inside the block only: another run may have others of these names."""
    import keras

    with keras.saving.custom_object_scope(dict(layers)):
        yield
    known = keras.saving.get_custom_objects()
    for name, layer in layers.items():
        if known.get(name) is layer:
            del known[name]


def own_layers(path: Path) -> list[str]:
    """The classes in the network at ``path`` that are neither of Keras nor of dmf."""
    try:
        with zipfile.ZipFile(path) as archive:
            described = json.loads(archive.read(CONFIG))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return []
    found: dict[str, None] = {}
    waiting = [described]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
            module = one.get("module")
            if isinstance(module, str) and not module.startswith(("keras", "dmf_cli", "builtins")):
                found[str(one.get("class_name"))] = None
        elif isinstance(one, list):
            waiting += one
    return list(found)


def _plugins_of(path: Path) -> list[plugins.Plugin]:
    """The active plugins with networks that the run of the file was trained with; of no run: all."""
    with_networks = [one for one in plugins.active() if any(part.kind == "model" for part in one.definitions)]
    try:
        named = stored_config.load_run(path.parents[1]).plugins
    except (DmfError, IndexError):  # a file by itself
        return with_networks
    return [one for one in with_networks if one.name in named]


def _layers_of(plugin: plugins.Plugin) -> dict[str, type]:
    """The layers of a plugin by name: Keras wants to be told of them, or asks for a decorator of its own."""
    import keras

    loading.run_file(plugin)
    values = [one for module in loading.modules(plugin) for one in vars(module).values()]
    return {one.__name__: one for one in values if isinstance(one, type) and issubclass(one, keras.Layer)}


def _check_weights(path: Path) -> None:
    """Refuse a file that describes more weights than it holds: Keras would allocate them first."""
    with zipfile.ZipFile(path) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        if sizes.get(CONFIG, 0) > DESCRIPTION or sum(sizes.values()) > 8 * path.stat().st_size + SLACK:
            reason = f"unpacks to {sum(sizes.values()):,} bytes, which is no network"
            raise CheckpointError(path=path, reason=reason, hint=DO)
        if CONFIG not in sizes:
            return  # Keras says what is wrong
        described = _described(archive.read(CONFIG).decode("utf-8", errors="replace"))
    if described > sizes.get(WEIGHTS, 0) + SLACK:
        held = sizes.get(WEIGHTS, 0)
        reason = f"describes a network with {described:,} bytes of weights and holds {held:,}"
        raise CheckpointError(path=path, reason=reason, hint=DO)


def _described(text: str) -> int:
    """Bytes of the weights that a description asks for; nothing is allocated to find out."""
    import keras

    # What is wrong with a description is said when the network is loaded.
    with contextlib.suppress(Exception), _without_values():
        network = keras.models.model_from_json(text)
        return sum(4 * math.prod(variable.shape) for variable in network.variables)
    return 0


@contextlib.contextmanager
def _without_values() -> Iterator[None]:
    """Variables that are made inside never get a value.

    Keras keeps them in a list of its own, and would give all of them their values when the next scope of
    this kind ends: in the next network that anybody builds in this process.
    """
    import keras
    from keras.src.backend.common import global_state

    pending = "uninitialized_variables"
    before = list(global_state.get_global_attribute(pending) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(pending, before)


def _check_network(path: Path, network: Any) -> None:
    """It takes one image and gives one map of it, with maps in between that fit into memory."""
    shapes = [getattr(network, name, None) for name in ("input_shape", "output_shape")]
    fits = [isinstance(shape, tuple) and len(shape) == 4 and isinstance(shape[3], int) for shape in shapes]
    if not all(fits):
        reason = (
            f"takes {shapes[0]} and gives {shapes[1]}, where a network takes (batch, height, width, "
            "channels) and gives (batch, height, width, classes)"
        )
        raise CheckpointError(path=path, reason=reason, hint=DO)
    largest, memory = max(map(_map_bytes, _layers(network)), default=0), machine.memory()
    if memory is not None and largest > memory:
        reason = f"makes a map of {largest:,} bytes of each image, more than this machine has memory"
        raise CheckpointError(path=path, reason=reason, hint=DO)


def _layers(network: Any) -> list[Any]:
    return list(network._flatten_layers(include_self=False))


def _map_bytes(layer: Any) -> int:
    """Bytes of the largest output of a layer for one image, as far as it is known before any image."""
    import keras

    shapes: list[Any] = []
    with contextlib.suppress(Exception):  # a layer that was never called has none
        shapes = [tensor.shape for tensor in keras.tree.flatten(layer.output)]
    return max((4 * math.prod(side or 1 for side in shape[1:]) for shape in shapes), default=0)


def _missing(path: Path) -> CheckpointError:
    """Why a run has no network; a run that is complete once had one, and is not resumed."""
    if RunFolder(path.parents[1]).read_status().get("state") == "completed":
        reason = "is missing, and the run is complete"
        return CheckpointError(path=path, reason=reason, hint=DO.replace("a whole", "a"))
    again = hints.command("resume", path.parents[1])
    hint = f"no epoch of this run was finished; `{again}` resumes it"
    return CheckpointError(path=path, reason="is missing", hint=hint)
