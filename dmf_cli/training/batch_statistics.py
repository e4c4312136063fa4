"""Batch normalisation over the whole batch where each replica of the model sees a part of it.

Only TensorFlow needs that, and only its layers know the option. Files of networks are written without it, so
that every backend can read them.
"""

import contextlib
from collections.abc import Iterator

import keras


def synchronize(network: keras.Model, yes: bool = True) -> None:
    """Make the layers of ``network`` normalise by the statistics of all replicas, before it is compiled."""
    for layer in network._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = yes


@contextlib.contextmanager
def separate(network: keras.Model) -> Iterator[None]:
    """Inside, ``network`` is written as one without replicas; its compiled steps do not change."""
    layers = [
        layer
        for layer in network._flatten_layers(include_self=False, recursive=True)
        if getattr(layer, "synchronized", False)
    ]
    for layer in layers:
        layer.synchronized = False
    try:
        yield
    finally:
        for layer in layers:
            layer.synchronized = True
