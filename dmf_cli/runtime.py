"""What a run computes on: backend, device, precision, determinism. Everything before Keras is imported.

The Keras backend and the visible devices are fixed by the first import, so this module imports neither
Keras nor a backend at its top.
"""

import contextlib
import dataclasses
import importlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from dmf_cli import devices as several
from dmf_cli import hints, hosts, machine
from dmf_cli.config.schema import Trainer
from dmf_cli.errors import ConfigError
from dmf_cli.quiet import quiet

log = logging.getLogger("dmf")


@dataclasses.dataclass(frozen=True)
class Trial:
    """What ``trainer.precision=auto`` found out.

    Args:
        precision: the one that was taken.
        why: in words.
        seconds: of a step in each precision that was tried, the median.
    """

    precision: str
    why: str
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Runtime:
    """What was chosen, for the banner and for ``environment.json``.

    ``device`` is what computes (``cpu``, ``gpu:0``), the first of ``shared`` ones that share each batch;
    ``devices`` what the backend sees; ``trial`` why it is this precision, if the config leaves that open.
    """

    backend: str
    device: str
    devices: tuple[str, ...]
    precision: str
    jit: bool
    deterministic: bool
    shared: int = 1
    trial: Trial | None = dataclasses.field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """``cpu`` or ``gpu``."""
        return self.device.partition(":")[0]


def start(trainer: Trainer, *, share: bool = False) -> Runtime:
    """Choose backend and device, then import Keras.

    Args:
        trainer: the ``trainer`` group of the config (``backend device devices precision jit deterministic``).
        share: whether ``trainer.devices`` share each batch, as only a training lets them: a network that was
            trained on several is applied on one.

    Raises:
        ConfigError: for devices that are not there, or a backend other than the one already loaded.
    """
    if not share:
        trainer = dataclasses.replace(trainer, devices=1, hosts=1)
    backend, wanted = trainer.backend, trainer.device
    import_backend(backend)
    machine.backend_processors()
    _choose_device(wanted)
    import keras

    hosts.join(trainer)
    with quiet():
        several.prepare(trainer)
        devices = tuple(f"gpu:{i}" for i in range(gpu_count(backend))) or ("cpu:0",)
        _prepare_tensorflow(backend, trainer.deterministic)
        if backend == "tensorflow" and (devices == ("cpu:0",) or trainer.deterministic):
            _add_in_order()
    if wanted.startswith("gpu") and not devices[0].startswith("gpu"):
        raise ConfigError(
            key="trainer.device",
            value=wanted,
            reason=f"and {backend} sees no such GPU",
            hint="run `dmf doctor`, or use trainer.device=cpu",
        )
    device = "cpu" if not devices[0].startswith("gpu") else wanted if wanted.startswith("gpu:") else "gpu:0"
    shared = several.count(trainer, device.partition(":")[0])
    precision = "float32" if trainer.precision == "auto" else trainer.precision  # until another one is tried
    keras.config.set_dtype_policy(precision)
    return Runtime(
        backend=backend,
        device=device,
        devices=devices,
        precision=precision,
        jit=_jit(trainer.jit, backend, device, trainer.deterministic, shared),
        deterministic=trainer.deterministic,
        shared=shared,
    )


def import_backend(backend: str) -> None:
    """Import ``backend``, TensorFlow for the images, and Keras on it.

    Raises:
        ConfigError: it is not installed, or Keras runs on another one already.
    """
    if "keras" in sys.modules:
        import keras

        loaded = keras.backend.backend()
        if loaded != backend:
            reason = f"but Keras is already loaded with {loaded}"
            hint = f"use a new process, or trainer.backend={loaded}"
            raise ConfigError(key="trainer.backend", value=backend, reason=reason, hint=hint)
        return
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with quiet():
            importlib.import_module(backend)
            importlib.import_module("tensorflow")  # its input pipeline serves every backend
            importlib.import_module("keras")
    except ImportError as error:
        reason = f"which cannot be imported ({error})"
        raise ConfigError(
            key="trainer.backend", value=backend, reason=reason, hint=_install(backend)
        ) from None


def _install(backend: str) -> str:
    """TensorFlow is no extra: it comes with dmf."""
    return hints.install("" if backend == "tensorflow" else backend)


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers that are made inside compute by ``policy``, whatever those around do."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def gpu_count(backend: str) -> int:
    """How many GPUs ``backend`` sees (Keras's own list raises on JAX when there is none)."""
    module = importlib.import_module(backend)
    if backend == "tensorflow":
        return len(module.config.list_physical_devices("GPU"))
    if backend == "jax":
        return sum(device.platform == "gpu" for device in module.devices())
    return int(module.cuda.device_count())


def compute_capability(backend: str) -> tuple[int, int]:
    """Of the first GPU that ``backend`` sees; (0, 0) where it gives none, as of one that is not NVIDIA's."""
    module = importlib.import_module(backend)
    if backend == "tensorflow":
        first = module.config.list_physical_devices("GPU")[0]
        found = module.config.experimental.get_device_details(first).get("compute_capability", (0, 0))
    elif backend == "jax":
        found = str(getattr(module.devices()[0], "compute_capability", "0.0")).split(".")
    else:
        found = module.cuda.get_device_capability()
    try:
        major, minor = map(int, found)
    except ValueError:  # JAX names an architecture of AMD
        return 0, 0
    return major, minor


def _choose_device(device: str) -> None:
    """Hide what shall not be used; the one switch that every backend understands before its start."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        if jax := sys.modules.get("jax"):  # which has read the variable already
            jax.config.update("jax_platforms", os.environ["JAX_PLATFORMS"])
    elif device.startswith("gpu:"):
        visible = [d for d in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if d]
        number = int(device.removeprefix("gpu:"))
        if visible and number >= len(visible):
            reason = f"and only {len(visible)} GPU(s) are visible, counted from 0"
            raise ConfigError(key="trainer.device", value=device, reason=reason)
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[number] if visible else str(number)


def _prepare_tensorflow(backend: str, deterministic: bool) -> None:
    """Grow its memory as needed; under another backend it feeds the images and must leave the GPU alone."""
    import tensorflow as tf

    try:
        if backend != "tensorflow":
            tf.config.set_visible_devices([], "GPU")
        limit = machine.gpu_memory()
        for gpu in tf.config.get_visible_devices("GPU"):
            if limit is None:
                tf.config.experimental.set_memory_growth(gpu, True)
            else:
                part = tf.config.LogicalDeviceConfiguration(memory_limit=limit / 2**20)
                tf.config.set_logical_device_configuration(gpu, [part])
    except RuntimeError:
        log.debug("TensorFlow's devices are in use already: an earlier run of this process chose them")
    if deterministic and backend == "tensorflow":
        tf.config.experimental.enable_op_determinism()


def _add_in_order() -> None:
    """Keep TensorFlow from adding gradients in the order in which they come.

    Where a graph needs more than 80 % of a device's memory, and TensorFlow takes a CPU to have 256 MB, it
    turns a sum of three or more large tensors into an accumulator to which each adds when it is ready: two
    runs with one seed then differ in the last bit, and soon in all of them. No public setting turns that off
    alone; to do without any rewriting of graphs makes some networks slower, segformer by a tenth or more.
    """
    import tensorflow as tf

    options = tf.compat.v1.ConfigProto()
    rewriter = options.graph_options.rewrite_options
    rewriter.memory_optimization = type(rewriter).NO_MEM_OPT
    try:
        from tensorflow.python.eager import context

        context.context()._config = options
        now = context.context().config.graph_options.rewrite_options.memory_optimization
    except (ImportError, AttributeError):  # it is not public
        now = None
    whole = {} if now == rewriter.memory_optimization else {"disable_meta_optimizer": True}
    tf.config.optimizer.set_experimental_options(whole)  # also gives functions the options anew


def _jit(jit: Any, backend: str, device: str, deterministic: bool, shared: int) -> bool:
    """``auto``: XLA on a GPU and on JAX; off with op determinism, where Keras would turn it off anyway, and
    for replicas of TensorFlow, which exchange values inside the step.
    """
    if shared > 1 and backend == "tensorflow":
        if jit is True:
            reason = f"and trainer.devices is {shared}, which exclude each other on TensorFlow"
            hint = "use trainer.jit=auto, or trainer.backend=jax"
            raise ConfigError(key="trainer.jit", value=True, reason=reason, hint=hint)
        return False
    if deterministic and backend == "tensorflow":
        if jit is True:
            reason = "and trainer.deterministic too, which exclude each other on TensorFlow"
            raise ConfigError(key="trainer.jit", value=True, reason=reason, hint="set one of them to false")
        return False
    if jit == "auto":
        return backend == "jax" or (backend == "tensorflow" and device != "cpu")
    return bool(jit)
