"""Architectures: one is a function ``(input_shape, classes, **params)`` to a model of probabilities.

The re-exports below are the registry: a new architecture is one function, one line here and one YAML
file in ``conf/model/``.
"""

from dmf_cli.models._unet import unet as unet

__registry__ = ("unet",)
