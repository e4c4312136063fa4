"""Several devices for one run: how many share each batch, and what makes them do so.

Every device computes with the same weights on its part of the batch; losses, weighting and the update are
those of the whole. TensorFlow runs a replica of the model on each (``MirroredStrategy``), JAX one program
whose batches are split (``keras.distribution.DataParallel``). Imports a backend inside functions only.
"""

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dmf_cli import hosts
from dmf_cli.config.schema import Trainer
from dmf_cli.errors import ConfigError


def prepare(trainer: Trainer) -> None:
    """Make virtual devices of a CPU that is asked for by name: to try things; they are no faster.

    Before the backend uses the CPU for the first time; afterwards :func:`count` finds what is there.
    """
    if trainer.device != "cpu" or trainer.devices in (1, "all"):
        return
    with contextlib.suppress(RuntimeError):  # it is in use already
        if trainer.backend == "tensorflow":
            import tensorflow as tf

            (cpu,) = tf.config.list_physical_devices("CPU")
            parts = [tf.config.LogicalDeviceConfiguration()] * int(trainer.devices)
            tf.config.set_logical_device_configuration(cpu, parts)
        elif trainer.backend == "jax":
            import jax

            with contextlib.suppress(AttributeError):  # JAX before 0.5 knows XLA_FLAGS alone
                jax.config.update("jax_num_cpu_devices", int(trainer.devices))


def visible(backend: str, kind: str) -> list[str]:
    """The names of the devices of ``kind`` (``cpu`` or ``gpu``) that ``backend`` has."""
    module = importlib.import_module(backend)
    if backend == "tensorflow":
        found = module.config.list_logical_devices(kind.upper())
        return [device.name.removeprefix("/device:") for device in found]
    if backend == "jax":
        return [f"{one.platform}:{one.id}" for one in module.devices() if one.platform == kind]
    return ["cpu:0"] if kind == "cpu" else [f"cuda:{i}" for i in range(module.cuda.device_count())]


def count(trainer: Trainer, kind: str) -> int:
    """How many devices of ``kind`` share each batch.

    Raises:
        ConfigError: there are fewer, the backend uses one, or they do not divide the batch.
    """
    wanted = trainer.devices
    if wanted == 1:
        return 1
    found = len(visible(trainer.backend, kind))
    chosen = found if wanted == "all" else wanted
    if chosen == 1:
        return 1
    _check(trainer, kind, chosen, found)
    return chosen


def _check(trainer: Trainer, kind: str, chosen: int, found: int) -> None:
    if trainer.backend == "torch":
        raise ConfigError(
            key="trainer.devices",
            value=trainer.devices,
            reason="and the backend torch uses one device",
            hint="use trainer.backend=tensorflow or jax, or trainer.devices=1",
        )
    if trainer.device.startswith("gpu:"):
        raise ConfigError(
            key="trainer.devices",
            value=trainer.devices,
            reason=f"and trainer.device={trainer.device} is one GPU",
            hint="use trainer.device=gpu, and CUDA_VISIBLE_DEVICES for some of them",
        )
    if chosen > found:
        raise ConfigError(
            key="trainer.devices",
            value=trainer.devices,
            reason=f"and {trainer.backend} sees {found if kind == 'gpu' else 'no'} GPU(s)"
            if trainer.device != "cpu"
            else f"and this process has {found} device(s) of the CPU",
            allowed=f"1 to {found}, or all" if kind == "gpu" else None,
            hint="run `dmf doctor`; trainer.device=cpu tries it on virtual devices"
            if trainer.device != "cpu"
            else "use a new process, where virtual devices can still be made",
        )
    _check_keras(chosen)
    check_batch(trainer, chosen)


def _check_keras(chosen: int) -> None:
    import keras

    if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 10):
        raise ConfigError(
            key="trainer.devices",
            value=chosen,
            reason=f"and Keras {keras.__version__} does not bring several devices together",
            hint="install Keras 3.10 or newer, or use trainer.devices=1",
        )


def check_batch(trainer: Trainer, chosen: int) -> None:
    """Each of ``chosen`` devices has an equal part of the batch.

    Raises:
        ConfigError: it has not.
    """
    batch = trainer.batch_size
    if batch % chosen:
        least = max(chosen, batch - batch % chosen)
        raise ConfigError(
            key="trainer.batch_size",
            value=batch,
            reason=f"which {chosen} devices cannot share equally",
            hint=f"it is the batch of all devices: use {least} or {batch + chosen - batch % chosen}, "
            "or another trainer.devices",
        )


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> Any:
    """One for all runs of a process: what several exchange between the same devices TensorFlow mixes up."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)


def _on_devices(values: np.ndarray, sharding: Any) -> Any:
    """``values``, which every host has whole, on the devices of this one."""
    import jax

    return jax.make_array_from_callback(values.shape, sharding, lambda index: values[index])


@functools.cache
def _place_values() -> None:
    """Each of several hosts places its own values of a variable.

    JAX would ask the others whether they have the same: an exchange for each variable, in which NaN is unlike
    NaN.
    """
    import jax
    from keras.src.backend.jax import distribution_lib

    original = distribution_lib.distribute_tensor

    def distribute(tensor: Any, layout: Any) -> Any:
        sharding = getattr(layout, "backend_layout", layout)
        if isinstance(tensor, jax.core.Tracer) or sharding.is_fully_addressable:
            return original(tensor, layout)
        if isinstance(tensor, jax.Array) and not tensor.is_fully_addressable:
            return original(tensor, layout)  # a step computed it, on every host
        return _on_devices(np.asarray(tensor), sharding)

    distribution_lib.distribute_tensor = distribute


class DeviceGroup:
    """The devices of a run.

    Args:
        backend: of the run.
        kind: ``cpu`` or ``gpu``.
        size: how many of them.
    """

    def __init__(self, backend: str, kind: str, size: int) -> None:
        self.size = size
        #: Each device has a copy of the model that sees its part of the batch alone.
        self.replicated = size > 1 and backend == "tensorflow"
        self._split: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
        if self.replicated:
            self._split = _mirrored(tuple(visible(backend, kind)[:size])).scope
        elif size > 1:
            import keras

            names = visible(backend, kind)[:size]
            # Every host makes whole batches, and `_placed` takes its part of them.
            self._distribution = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
            self._split = self._whole_program
            if hosts.count() > 1:
                _place_values()

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Inside, models are made for these devices and train on them; with one device nothing changes."""
        return self._split()

    @contextlib.contextmanager
    def _whole_program(self) -> Iterator[None]:
        """Keras splits every batch as the first one, and stops at a last one that is smaller."""
        from keras.src.backend.jax import trainer

        before = trainer._distribute_data
        trainer._distribute_data = self._placed
        try:
            with self._distribution.scope():
                yield
        finally:
            trainer._distribute_data = before

    def _placed(self, data: Any, layouts: Any = None) -> Any:
        """A batch on the devices: in equal parts, or where they do not divide it whole on each."""
        import jax
        import keras

        mesh = self._distribution.device_mesh.backend_mesh
        split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*mesh.axis_names))
        whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

        def place(values: Any) -> Any:
            if values is None:
                return None
            values = np.asarray(values)
            layout = whole if len(values) % self.size else split
            return _on_devices(values, layout)

        return keras.tree.map_structure(place, data)
