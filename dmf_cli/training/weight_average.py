"""``optimizer.ema``: validation and ``best.keras`` see the average of the weights over the last steps.

The optimizer keeps the average on the device; training goes on with the weights themselves. The running
statistics of batch normalisation belong to those: for the average they are measured anew, from a few training
batches. Without that a network whose weights still move is validated on statistics of another one.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from dmf_cli.ops.backend import compiled

CALIBRATION_BATCHES = 8  # forward passes an epoch


class WeightAverage(keras.callbacks.Callback):
    """Puts the average in place of the weights during each validation, and on demand.

    Args:
        batches: of images and labels, the same each time: batch statistics are measured from their images.
    """

    def __init__(self, batches: Iterable[tuple[Any, Any]]) -> None:
        super().__init__()
        self.batches = batches
        self._raw: list[Any] = []
        self._averaged: list[Any] = []
        self._statistics: BatchStatistics | None = None

    @property
    def _variables(self) -> list[keras.Variable]:
        """All that the average replaces; strategy and optimizer keep what they have."""
        return [*self.model.trainable_variables, *self.model.network.non_trainable_variables]

    def on_test_begin(self, logs: Any = None) -> None:
        """The average comes in, with statistics of its own."""
        self._raw = _values(self._variables)
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        # Copies: JAX would share one buffer with the optimizer, and a compiled step takes it over.
        _assign(self.model.trainable_variables, _values(self.model.trainable_variables))
        if self._statistics is None:
            self._statistics = BatchStatistics(self.model.network)
        self._statistics.measure(self.batches)

    def on_test_end(self, logs: Any = None) -> None:
        """The weights come back, bitwise, with the state of dropout and their statistics."""
        self._averaged = _values(self._variables)
        _assign(self._variables, self._raw)

    def on_train_end(self, logs: Any = None) -> None:
        """Keras has left the average in place of the weights: those of the last epoch come back."""
        if self._raw:
            _assign(self._variables, self._raw)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the network is the one that was validated last."""
        raw = _values(self._variables)
        _assign(self._variables, self._averaged)
        try:
            yield
        finally:
            _assign(self._variables, raw)


class BatchStatistics:
    """The running means and variances of the batch normalisation of ``network``, measured anew.

    They become the means over batches, as the running ones are, but without their memory of other weights.
    """

    def __init__(self, network: keras.Model) -> None:
        self.network = network
        layers = [
            layer
            for layer in network._flatten_layers(include_self=False, recursive=True)
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and layer.momentum < 1
        ]
        self.layers = layers
        self.variables = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
        # One step from 0 leaves (1 - momentum) of the statistics of its batch.
        self.shares = [1.0 - layer.momentum for layer in layers for _ in range(2)]
        known = {id(v): i for i, v in enumerate(network.non_trainable_variables)}
        self.places = [known[id(v)] for v in self.variables]
        self._forward = compiled(self._step)

    def _step(self, trainable: Sequence[Any], others: Sequence[Any], x: Any) -> list[Any]:
        after = self.network.stateless_call(trainable, others, x, training=True)[1]
        return [after[i] for i in self.places]

    def measure(self, batches: Iterable[tuple[Any, Any]]) -> None:
        """Assign what one forward pass a batch gives; a layer that keeps its statistics there keeps them."""
        if not self.layers:
            return
        trainable = [v.value for v in self.network.trainable_variables]
        others = [v.value for v in self.network.non_trainable_variables]
        for i in self.places:
            others[i] = ops.zeros_like(others[i])
        sums, count = [np.zeros(v.shape) for v in self.variables], 0
        for x, _ in batches:
            found = self._forward(trainable, others, ops.convert_to_tensor(np.asarray(x)))
            sums = [s + ops.convert_to_numpy(f) for s, f in zip(sums, found, strict=True)]
            count += 1
        for k in range(0, len(sums), 2):
            if np.any(sums[k]) or np.any(sums[k + 1]):
                for j in (k, k + 1):
                    self.variables[j].assign((sums[j] / (count * self.shares[j])).astype("float32"))


def _values(variables: Sequence[keras.Variable]) -> list[Any]:
    return [ops.copy(variable.value) for variable in variables]


def _assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
