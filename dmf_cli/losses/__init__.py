"""Losses: one loss is one pure function ``(y_true, y_pred, **params) -> scalar``.

``y_true`` is one-hot and ``y_pred`` holds probabilities, both of shape ``(batch, *spatial, classes)``
with any number of spatial axes; ``classes == 1`` means a sigmoid foreground. Everything is computed in
float32, and neither the value nor the gradient is ever NaN or infinite for probabilities in [0, 1].
Called directly in eager mode a loss also checks that it got such values, see :func:`check`.

A new loss is one function with the decorator, one re-export below and one YAML file in ``conf/loss/term/``.
"""

import functools
import types
from collections.abc import Callable
from typing import Any

import keras

from dmf_cli import lookup, parameters
from dmf_cli.errors import ConfigError
from dmf_cli.losses._boundary import boundary as boundary
from dmf_cli.losses._cbdice import cbdice as cbdice
from dmf_cli.losses._cldice import cldice as cldice
from dmf_cli.losses._distance import signed_distance_numpy as signed_distance_numpy
from dmf_cli.losses._distance_ce import distance_ce as distance_ce
from dmf_cli.losses._explog import explog as explog
from dmf_cli.losses._focal import focal as focal
from dmf_cli.losses._gdice import gdice as gdice
from dmf_cli.losses._hausdorff import hausdorff as hausdorff
from dmf_cli.losses._lovasz import lovasz as lovasz
from dmf_cli.losses._mcc import mcc as mcc
from dmf_cli.losses._overlap import dice as dice
from dmf_cli.losses._overlap import iou as iou
from dmf_cli.losses._overlap import logcosh_dice as logcosh_dice
from dmf_cli.losses._pixel import bce as bce
from dmf_cli.losses._pixel import ce as ce
from dmf_cli.losses._sensspec import sensspec as sensspec
from dmf_cli.losses._topk import topk as topk
from dmf_cli.losses._tversky import focal_tversky as focal_tversky
from dmf_cli.losses._tversky import tversky as tversky
from dmf_cli.losses._unified_focal import unified_focal as unified_focal
from dmf_cli.losses._value_checks import check as check
from dmf_cli.losses._value_checks import checked as _checked
from dmf_cli.losses._value_checks import unchecked as unchecked
from dmf_cli.parts import registry
from dmf_cli.parts.definitions import of_package

__registry__ = tuple(of_package("loss"))

# Called directly in eager mode they look at the values; get() gives the bare functions.
for _name in __registry__:
    globals()[_name] = _checked(globals()[_name])


def get(name: str, **params: Any) -> Callable[..., Any]:
    """The loss ``name`` with ``params`` fixed: ``get("dice", pool="batch")(y_true, y_pred)``.

    For training: it does not look at values, so that a NaN of the network reaches whoever guards the
    training. ``dmf_cli.losses.NAME(y_true, y_pred)`` does, see :func:`check`.

    Raises:
        UnknownNameError: for a loss or a parameter that does not exist; names the closest one.
        ConfigError: for a parameter out of range.
    """
    function = unchecked(registry.find("loss", name))
    lookup.check_keywords(name, function, params)
    parameters.check(function, params)
    return functools.partial(function, **params)


def serialize(loss: Callable[..., Any]) -> dict[str, Any]:
    """A loss of this package or of a plugin (or a function registered with Keras) as plain data."""
    loss = unchecked(loss)
    function = loss.func if isinstance(loss, functools.partial) else loss
    params = loss.keywords if isinstance(loss, functools.partial) else {}
    name = getattr(function, "__name__", "")
    if name in registry.names("loss") and function is unchecked(registry.find("loss", name)):
        return {"name": function.__name__, "params": dict(params)}
    if isinstance(loss, types.FunctionType):
        registered = keras.saving.get_registered_name(loss)
        if registered in keras.saving.get_custom_objects():  # Keras before 3.7 forgets the package
            return {"registered": registered}
    return {"object": keras.saving.serialize_keras_object(loss)}


def deserialize(config: dict[str, Any]) -> Callable[..., Any]:
    """The inverse of :func:`serialize`."""
    if "name" in config:
        return get(config["name"], **config["params"])
    if "registered" in config:
        name = config["registered"]
        function: Callable[..., Any] | None = keras.saving.get_registered_object(name)
        if function is None:
            raise ConfigError(
                f"the model was saved with the loss {name!r}",
                key="loss",
                value=name,
                hint="import the module that registers it with Keras before loading",
            )
        return function
    loss: Callable[..., Any] = keras.saving.deserialize_keras_object(config["object"])
    return loss
