"""What Keras 3 has no common word for; the only place where the core names a backend."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from dmf_cli.errors import ConfigError


def keras_from(major: int, minor: int) -> bool:
    """Whether Keras is of this version or newer."""
    return tuple(map(int, keras.__version__.split(".")[:2])) >= (major, minor)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` (of tensors or trees of tensors) traced once and compiled, or as it is on PyTorch."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        graph: Callable[..., Any] = tensorflow.function(function, autograph=False)
        return graph
    if keras.backend.backend() == "jax":
        import jax

        jitted: Callable[..., Any] = jax.jit(function)
        return jitted
    return function


def compiled_for_any_batch(function: Callable[..., Any], shape: Sequence[int]) -> Callable[..., Any]:
    """``function`` of two float32 tensors of ``shape``, compiled for all sizes of their first axis at once.

    JAX compiles for each size, and PyTorch not at all.
    """
    if keras.backend.backend() != "tensorflow":
        return compiled(function)
    import tensorflow

    free = tensorflow.TensorSpec((None, *shape[1:]), "float32")
    graph: Callable[..., Any] = tensorflow.function(function, input_signature=[free, free], autograph=False)
    return graph


def scan(step: Callable[[Any, Any], tuple[Any, Any]], state: Any, rows: Any) -> np.ndarray:
    """The outputs of ``step(state, row) -> (state, output)`` over ``rows``, as one compiled loop.

    ``keras.ops.scan`` of Keras 3.15.1 fails on TensorFlow when an output has another shape than the state.

    Args:
        step: pure; ``output`` is a float32 tensor of fixed shape.
        state: a tree of tensors of fixed shapes.
        rows: a tree of arrays with one leading axis.

    Returns:
        ``(len(rows), *output.shape)``.
    """
    rows = keras.tree.map_structure(keras.ops.convert_to_tensor, rows)
    count = keras.tree.flatten(rows)[0].shape[0]
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.jit(lambda state, rows: jax.lax.scan(step, state, rows)[1])(state, rows))
    if keras.backend.backend() == "tensorflow":
        scanned: np.ndarray = _tensorflow_scan(step, state, rows, count).numpy()
        return scanned
    outputs = []
    for i in range(count):
        state, output = step(state, keras.tree.map_structure(lambda values, i=i: values[i], rows))
        outputs.append(keras.ops.convert_to_numpy(output).copy())
    return np.stack(outputs)


def _tensorflow_scan(step: Callable[[Any, Any], tuple[Any, Any]], state: Any, rows: Any, count: int) -> Any:
    import tensorflow

    def loop(state: Any, rows: Any) -> Any:
        def body(i: Any, state: Any, array: Any) -> tuple[Any, Any, Any]:
            state, output = step(state, keras.tree.map_structure(lambda values: values[i], rows))
            return i + 1, state, array.write(i, output)

        array = tensorflow.TensorArray("float32", size=count)
        return tensorflow.while_loop(lambda i, *_: i < count, body, (0, state, array))[2].stack()

    # A concrete function: calls of the other one are counted, and warned of after the fifth.
    return tensorflow.function(loop, autograph=False).get_concrete_function(state, rows)(state, rows)


def values_and_gradients(
    functions: Sequence[Callable[[Any], Any]], x: Any
) -> tuple[list[Any], Callable[[], list[Any]]]:
    """The values of scalar ``functions`` at ``x``, and a function that gives their gradients there.

    A surrounding gradient flows through the values. The gradients come from the same evaluation, so each
    function is computed once. JAX computes it a second time: its ``vjp`` inside of a surrounding ``grad``
    would differentiate the forward rule of a user's custom gradient.

    Returns:
        The values, and ``gradients()``, which may be called inside a branch of ``cond``: one tensor a
        function, None for one that is unconnected (JAX gives zeros there).
    """
    if keras.backend.backend() == "jax":
        import jax

        fixed = jax.lax.stop_gradient(x)
        return [f(x) for f in functions], lambda: [jax.grad(f)(fixed) for f in functions]
    if keras.backend.backend() == "torch":
        return _torch_values_and_gradients(functions, x)
    import tensorflow

    with tensorflow.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(x)
        values = [f(x) for f in functions]
    return values, lambda: [tape.gradient(value, x) for value in values]


def _torch_values_and_gradients(
    functions: Sequence[Callable[[Any], Any]], x: Any
) -> tuple[list[Any], Callable[[], list[Any]]]:
    import torch

    with torch.enable_grad():  # a validation pass runs without
        x = x if x.requires_grad else x.detach().requires_grad_(True)
        values = [f(x) for f in functions]

    def gradient(value: Any) -> Any:
        if not value.requires_grad:
            return None
        return torch.autograd.grad(value, x, retain_graph=True, allow_unused=True)[0]

    return values, lambda: [gradient(value) for value in values]


def to_numpy(variable: keras.Variable) -> np.ndarray:
    """The value of ``variable`` now; through a copy, for NumPy 2 warns about TensorFlow's variables."""
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.copy(variable.value)))


def adds_in_a_tree() -> bool:
    """Whether the backend's own sums stay exact in float32, see :mod:`dmf_cli.ops.reduce`."""
    return bool(keras.backend.backend() != "tensorflow")


def is_concrete(x: Any) -> bool:
    """Whether ``x`` has values now: not while a function is traced or compiled."""
    if isinstance(x, keras.KerasTensor):
        return False
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        return not tensorflow.is_symbolic_tensor(x)
    if backend == "jax":
        import jax

        return not isinstance(x, jax.core.Tracer)
    import torch

    return not torch.compiler.is_compiling() and getattr(getattr(x, "device", None), "type", "") != "meta"


def replicas() -> int:
    """How many copies of the model step together under ``tf.distribute``; elsewhere 1.

    JAX shards the arrays of one program, whose means are those of the whole batch already.

    Raises:
        ConfigError: for several, where Keras is too old to bring them together.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow

    inside = tensorflow.distribute.get_replica_context() is not None
    count: int = tensorflow.distribute.get_strategy().num_replicas_in_sync if inside else 1
    if count > 1 and not keras_from(3, 10):
        raise ConfigError(
            f"Keras {keras.__version__} does not bring {count} replicas together (gradients before 3.5, "
            "logged values before 3.10)",
            key="keras",
            value=keras.__version__,
            hint="use Keras 3.10 or newer under tf.distribute",
        )
    return count


def on_part(function: Callable[[Any], Any], x: Any) -> Any:
    """``function(x)`` for a part ``x`` of a batch, also for the empty one of a replica.

    A last batch may have fewer images than there are replicas, and some layers fail for none at all: what an
    image of zeros gives is left out again. Not for what sees the whole batch, as normalisation in training.
    """
    if replicas() == 1 or x.shape[0] is not None:
        return function(x)
    import tensorflow as tf

    count = tf.shape(x)[0]
    missing = tf.maximum(1 - count, 0)
    filled = tf.pad(x, [[0, missing], *([0, 0] for _ in x.shape[1:])])
    filled.set_shape(x.shape)
    return function(filled)[:count]


def gathered(x: Any) -> Any:
    """``x`` of all replicas, joined along its first axis: the whole batch of a step, on each of them.

    The replicas may hold parts of different sizes, and some of none. The gradient at the part of a replica is
    that of its own ``x`` times the number of replicas, with no exchange: all of them compute the same from
    the whole, and each gives its loss divided by that number, for the optimizer adds their gradients.
    Not inside a branch of ``cond``.
    """
    count = replicas()
    if count == 1:
        return x
    import tensorflow as tf

    context = tf.distribute.get_replica_context()

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def joined(part: Any) -> Any:
        sizes = context.all_gather(tf.shape(part)[:1], axis=0)
        ends = tf.cumsum(sizes)
        end = ends[context.replica_id_in_sync_group]

        def back(upstream: Any) -> Any:
            return upstream[end - tf.shape(part)[0] : end] * tf.cast(count, upstream.dtype)

        return context.all_gather(part, axis=0), back

    whole = joined(tf.convert_to_tensor(x))
    whole.set_shape((None, *x.shape[1:]))
    return whole


def all_replicas(yes: Any) -> Any:
    """Whether the boolean scalar ``yes`` is true on every replica."""
    if replicas() == 1:
        return yes
    import tensorflow as tf

    no = tf.cast(tf.logical_not(yes), tf.float32)
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, no) == 0.0
