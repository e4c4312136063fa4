"""Losses: one loss is one pure function ``(y_true, y_pred, **params) -> scalar``.

``y_true`` is one-hot and ``y_pred`` holds probabilities, both of shape ``(batch, *spatial, classes)``
with any number of spatial axes; ``classes == 1`` means a sigmoid foreground. Everything is computed in
float32, and neither the value nor the gradient is ever NaN or infinite for probabilities in [0, 1].

The re-exports below are the registry: a new loss is one function, one line here and one YAML file in
``conf/loss/term/``.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any

import keras

from dmf_cli import _lookup
from dmf_cli.losses._cbdice import cbdice as cbdice
from dmf_cli.losses._overlap import dice as dice
from dmf_cli.losses._overlap import iou as iou
from dmf_cli.losses._pixel import bce as bce
from dmf_cli.losses._pixel import ce as ce

__registry__ = ("bce", "cbdice", "ce", "dice", "iou")


def get(name: str, **params: Any) -> Callable[..., Any]:
    """The loss ``name`` with ``params`` fixed: ``get("dice", pool="batch")(y_true, y_pred)``.

    Raises:
        UnknownNameError: for a loss or a parameter that does not exist; names the closest one.
    """
    function = _lookup.find("loss", sys.modules[__name__], name)
    _lookup.check_keywords(name, function, params)
    return functools.partial(function, **params)


def serialize(loss: Callable[..., Any]) -> dict[str, Any]:
    """A loss of this package (or a function registered with Keras) as plain data."""
    function = loss.func if isinstance(loss, functools.partial) else loss
    params = loss.keywords if isinstance(loss, functools.partial) else {}
    name = getattr(function, "__name__", "")
    if name in __registry__ and function is globals()[name]:
        return {"name": function.__name__, "params": dict(params)}
    return {"object": keras.saving.serialize_keras_object(loss)}


def deserialize(config: dict[str, Any]) -> Callable[..., Any]:
    """The inverse of :func:`serialize`."""
    if "name" in config:
        return get(config["name"], **config["params"])
    return keras.saving.deserialize_keras_object(config["object"])
