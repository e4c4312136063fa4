"""Batch normalisation of a training step as one operation of TensorFlow.

Keras makes it of a dozen, forward and backward, which is a tenth of a step of a U-Net on a CPU (``python
scripts/profile_step.py``). Layers stay those of Keras, and so do their files and their statistics.
"""

import functools
from typing import Any

import keras

Tensor = Any


def join(network: keras.Model) -> None:
    """Let the layers of ``network`` normalise in one operation where they can; before anything is compiled.

    A layer computes as Keras does wherever the operation differs: without training, frozen, in float16, with
    a mask, over several replicas, or by another axis than the last of four. Statistics are float32 also of
    activations in bfloat16, as those of Keras.
    """
    for layer in network._flatten_layers(include_self=False, recursive=True):
        if type(layer) is keras.layers.BatchNormalization:
            layer.call = functools.partial(_call, layer)


def _call(
    layer: keras.layers.BatchNormalization, inputs: Tensor, training: Any = None, mask: Tensor = None
) -> Tensor:
    if not (training is True and mask is None and _fits(layer, inputs)):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    import tensorflow as tf

    scale, shift = (tf.cast(one.value, "float32") for one in (layer.gamma, layer.beta))
    made, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs, scale, shift, epsilon=layer.epsilon, is_training=True
    )
    # The operation gives the variance that divides by n - 1; Keras keeps the one that divides by n.
    count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], variance.dtype)
    statistics = ((layer.moving_mean, mean), (layer.moving_variance, variance * (1.0 - 1.0 / count)))
    for moving, new in statistics:
        moving.assign(moving * layer.momentum + tf.stop_gradient(new) * (1.0 - layer.momentum))
    return made


def _fits(layer: keras.layers.BatchNormalization, inputs: Tensor) -> bool:
    return (
        layer.trainable
        and layer.scale
        and layer.center
        and not layer.synchronized
        and not getattr(layer, "renorm", False)
        and layer.axis in (-1, 3)
        and len(inputs.shape) == 4
        and inputs.dtype.name == layer.compute_dtype in ("float32", "bfloat16")
        and layer.variable_dtype == "float32"
        and layer.epsilon > 1e-5  # the operation's own least is 1.001e-5
    )
