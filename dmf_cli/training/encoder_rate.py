"""``optimizer.encoder_rate`` and ``optimizer.frozen``: a pretrained encoder learns more slowly, or later.

An optimizer of Keras has one rate. Here what its update has moved is scaled afterwards, weight decay
included: for every optimizer that is what a smaller rate does, on each backend, and of a frozen weight not
one bit moves. Batch statistics of the encoder follow the images from the first step: frozen ones would belong
to other images, and a network is trained on those of its batches in any case.
"""

from typing import Any

import keras
from keras import ops

from dmf_cli.config import schema
from dmf_cli.errors import ConfigError
from dmf_cli.fusion import FusedModel

ENCODER = "encoder"  # the name of a pretrained encoder in its network


def slowed(
    kind: type, params: dict[str, Any], model: FusedModel, chosen: schema.Optimizer, frozen_steps: int
) -> keras.optimizers.Optimizer:
    """The optimizer ``kind(**params)``, slowed down for the encoder of ``model`` where ``chosen`` says so.

    Raises:
        ConfigError: there is no encoder.
    """
    made: keras.optimizers.Optimizer = kind(**params)
    if chosen.encoder_rate == 1.0 and not chosen.frozen:
        return made
    own = {id(variable) for variable in _encoder(model.network, chosen).trainable_variables}
    # The class of `made`: on PyTorch Keras puts another one in the place of `kind`.
    slow: Any = type(kind.__name__, (Slowed, type(made)), {})(**params)
    slow.slow = frozenset(i for i, v in enumerate(model.trainable_variables) if id(v) in own)
    slow.rate, slow.frozen_steps = chosen.encoder_rate, frozen_steps
    found: keras.optimizers.Optimizer = slow
    return found


class Slowed:
    """Goes before an optimizer among the bases of a class.

    Attributes:
        slow: places of the variables in the list that the optimizer is built with.
        rate: share of the learning rate for them.
        frozen_steps: before this step they do not move at all.
    """

    slow: frozenset[int]
    rate: float
    frozen_steps: int

    def _backend_apply_gradients(self: Any, grads: Any, trainable_variables: Any) -> None:
        """As in Keras, with one step more; the average of ``ema`` is that of what is left."""
        slow = [v for v in trainable_variables if self._get_variable_index(v) in self.slow]
        before = [ops.copy(variable.value) for variable in slow]
        grads = self._clip_gradients(grads)
        self._apply_weight_decay(trainable_variables)
        self._backend_update_step(grads, trainable_variables, self.learning_rate)
        frozen = ops.less(self.iterations, self.frozen_steps)
        for variable, old in zip(slow, before, strict=True):
            new = variable.value
            if self.rate != 1.0:
                new = old + self.rate * (new - old)
            variable.assign(ops.where(frozen, old, new) if self.frozen_steps else new)
        if self.use_ema:
            self._update_model_variables_moving_average(self._trainable_variables)


def _encoder(network: keras.Model, chosen: schema.Optimizer) -> Any:
    for layer in network.layers:
        if layer.name == ENCODER:
            return layer
    key, value = (
        ("encoder_rate", chosen.encoder_rate) if chosen.encoder_rate != 1.0 else ("frozen", chosen.frozen)
    )
    default = "1.0" if key == "encoder_rate" else "0.0"
    raise ConfigError(
        key=f"optimizer.{key}",
        value=value,
        reason=f"and {network.name} has no pretrained encoder",
        hint=f"use model=unet_encoder, or optimizer.{key}={default}",
    )
