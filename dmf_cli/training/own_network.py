"""Is a network of the user's what it has to be? Asked before anything is trained."""

from typing import Any

import keras
import numpy as np

from dmf_cli.parts.definitions import Definition, wrong

TOLERANCE = 1e-3  # of sums over the classes


def check_network(network: Any, part: Definition, shape: tuple[int, ...], classes: int) -> None:
    """Whether ``network`` gives probabilities ``(batch, height, width, classes)`` for images of ``shape``.

    Args:
        network: what the function returned.
        part: the function.
        shape: ``(height, width, channels)``.
        classes: channels that the network has to give, 1 for a sigmoid.

    Raises:
        PluginError: it does not; the line names the function.
    """
    if not isinstance(network, keras.Model):
        raise wrong(part, f"it returns {type(network).__name__}", "a keras.Model")
    expected = (None, *shape[:2], classes)
    given = tuple(network.output_shape) if isinstance(network.output_shape, tuple) else network.output_shape
    if given != expected and tuple(given[1:]) != (None, None, classes):
        what = f"it gives {given} for images {(None, *shape)}"
        raise wrong(part, what, f"probabilities {expected}")
    images = np.random.default_rng(0).normal(0.5, 1.0, (2, *shape)).astype("float32")
    output = keras.ops.convert_to_numpy(network(images, training=False))
    if output.dtype != np.float32:
        raise wrong(part, f"it gives {output.dtype}", 'float32: the last layer needs dtype="float32"')
    if not np.isfinite(output).all():
        raise wrong(part, "it gives NaN or infinity for noise", "finite probabilities")
    if output.min() < 0.0 or output.max() > 1.0:
        what = f"it gives values from {output.min():.3g} to {output.max():.3g}, which look like logits"
        raise wrong(part, what, "probabilities: end in a softmax, or a sigmoid where classes is 1")
    if classes > 1 and np.abs(output.sum(axis=-1) - 1.0).max() > TOLERANCE:
        what = "its probabilities do not sum to 1 over the classes"
        raise wrong(part, what, "a softmax over the last axis")


def know_layers(network: Any) -> None:
    """Let Keras load the network again in this process: layers of the user's are found by their names."""
    known = keras.saving.get_custom_objects()
    for layer in network._flatten_layers(include_self=False):
        if not type(layer).__module__.startswith(("keras", "dmf_cli")):
            known[type(layer).__name__] = type(layer)
