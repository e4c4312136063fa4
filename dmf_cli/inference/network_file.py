"""The best network of a run: made again from the config of the run, which then takes the weights of its file.

Of the file only the weights are read then. Where the config does not say all (a network of a plugin,
published weights, a file that belongs to no run) the network is made by the description in the file, see
:mod:`dmf_cli.inference.network_description`.
"""

import contextlib
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dmf_cli import hashes, hints, machine, runtime
from dmf_cli.config.checks import check_params
from dmf_cli.config.typed import Config
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.errors import CheckpointError, DmfError
from dmf_cli.inference import network_description, network_weights
from dmf_cli.inference.class_order import trained_classes
from dmf_cli.inference.network_weights import DO
from dmf_cli.parts import loading, plugins, registry
from dmf_cli.run_folder import network_record, stored_config
from dmf_cli.run_folder.folder import RunFolder

TRIES = 3  # a small network in short epochs may be replaced while it is read
Make = Callable[[], Any]


def load_network(path: Path) -> Any:
    """The plain Keras network that a run kept as its best.

    Args:
        path: ``checkpoints/best.keras`` of a run, or a file by itself.

    Raises:
        CheckpointError: it is missing (no epoch was finished, or it was removed), damaged, not the one that
            the run wrote, too large for this machine, no network for images, or needs a package.
        PluginError: it needs code that came with the run, and nobody has said that this may run.
    """
    return load(path)[0]


def load(path: Path) -> tuple[Any, str]:
    """:func:`load_network`, and the hash of the file that it is from: a training may replace it meanwhile."""
    if not path.exists():
        raise _missing(path)
    run = network_record.run_of(path)
    for _ in range(TRIES):
        before = _stamp(path)
        try:
            content = network_record.check(run) if run else hashes.of_file(path)
            network = _loaded(path, run)
        except CheckpointError:
            if _stamp(path) == before:
                raise
            continue
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
            raise CheckpointError(path=path, reason=reason, hint=DO) from None
        if _stamp(path) == before:
            return network, content
    reason, hint = "was replaced while it was read", "wait until the run has ended"
    raise CheckpointError(path=path, reason=reason, hint=hint)


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _loaded(path: Path, run: RunFolder | None) -> Any:
    held = network_weights.shapes(path)
    try:
        make = (run and _by_config(run)) or _by_description(path)
        with _without_values():
            planned = make()
            network_weights.check_fit(path, held, planned)
            _check_network(path, planned)
        network = make()
        with warnings.catch_warnings():
            # What it finds no weights for would keep those that it was made with.
            warnings.filterwarnings("error", message="Skipping nested container")
            network.load_weights(path)
    except DmfError:
        raise
    except MemoryError:
        raise CheckpointError(path=path, reason="is too large for the memory of this machine") from None
    except Exception as error:  # Keras raises whatever its layers do
        if isinstance(error, TypeError) and "keras_hub" in str(error):  # it cannot import a layer's class
            raise CheckpointError(path=path, reason="needs keras-hub", hint=hints.install("hub")) from error
        why = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(path=path, reason=f"cannot be read ({why})", hint=DO) from error
    return network


def _by_config(run: RunFolder) -> Make | None:
    """Makes the network that the config of ``run`` describes; None if something else has a part in it."""
    config = stored_config.load_run(run.path)
    plain = config.plain["model"]
    name = plain.get("name")
    part = registry.known("model").get(name)
    if part is None or plugins.of_part(part) or plain.get("pretrained"):
        return None
    channels, spec = _channels(run, config), InputSpec.of(config.dataset)
    if channels is None:
        return None
    function, params = registry.find("model", name), config.model.params
    check_params(function, params, "model")

    def make() -> Any:
        with runtime.precision(config.trainer.precision):
            return function((*spec.network_size, spec.channels), channels, **params)

    return make


def _channels(run: RunFolder, config: Config) -> int | None:
    """Of the output; None if only the dataset knows its classes."""
    if config.model.head == "sigmoid":
        return 1
    classes = trained_classes(run, config)
    return None if classes is None else len(classes)


def _by_description(path: Path) -> Make:
    """Makes the network that the file describes, of layers that are known."""
    import keras

    described = network_description.read(path)
    active = _plugins_of(path)
    layers = {
        name: one for plugin in active if not plugin.untrusted for name, one in _layers_of(plugin).items()
    }
    if unknown := network_description.unknown(described, layers):
        if untrusted := [one for one in active if one.untrusted]:
            raise untrusted[0].refusal()
        reason = f"has layers that are not known here ({', '.join(unknown)})"
        hint = "give the file that defines them, as plugins=PATH"
        raise CheckpointError(path=path, reason=reason, hint=hint)

    def make() -> Any:
        with _known_to_keras(layers):
            return keras.models.model_from_json(json.dumps(described))

    return make


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
