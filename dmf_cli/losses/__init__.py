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
