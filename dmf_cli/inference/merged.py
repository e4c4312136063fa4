"""Several networks, mirrors and a temperature as one network of plain Keras, for use elsewhere."""

from collections.abc import Sequence
from typing import Any

from dmf_cli.inference.prediction import MIRRORS, Prediction


def merge(networks: Sequence[Any], prediction: Prediction) -> Any:
    """One network whose output is the mean over ``networks`` and mirrors, at the temperature.

    It gives what :meth:`Prediction.applied` gives of an image that is not cut into tiles. Of a patch it gives
    what is joined, without the temperature, which comes after.

    Args:
        networks: with the same inputs and outputs; they get new names.
        prediction: the mirrors and the temperature.
    """
    mirrors = MIRRORS[prediction.mirror]
    temperature = inside(prediction)
    if len(networks) * len(mirrors) == 1 and temperature == 1.0:
        return networks[0]
    import keras

    images = keras.Input(networks[0].input_shape[1:])
    maps = []
    for number, network in enumerate(networks, start=1):
        network.name = f"network_{number}"  # two layers of one name cannot be saved
        maps += [_turned(network, images, axes) for axes in mirrors]
    mean = keras.layers.Average()(maps) if len(maps) > 1 else maps[0]
    return keras.Model(images, _tempered(mean, temperature))


def inside(prediction: Prediction) -> float:
    """The temperature that is in the network: 1 where tiles are joined before it."""
    return prediction.temperature if prediction.spec.patch is None else 1.0


def _turned(network: Any, images: Any, axes: tuple[int, ...]) -> Any:
    """What ``network`` gives for mirrored images, mirrored back."""
    from keras import ops

    return ops.flip(network(ops.flip(images, axes)), axes) if axes else network(images)


def _tempered(mean: Any, temperature: float) -> Any:
    """See :func:`dmf_cli.inference.calibration.tempered`."""
    if temperature == 1.0:
        return mean
    from keras import ops

    channels = mean.shape[-1]
    both = ops.clip(ops.concatenate([1.0 - mean, mean], axis=-1) if channels == 1 else mean, 0.0, 1.0)
    powers = ops.power(both / ops.max(both, axis=-1, keepdims=True), 1.0 / temperature)
    return (powers / ops.sum(powers, axis=-1, keepdims=True))[..., -channels:]
