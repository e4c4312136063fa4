"""Architectures: one is a function ``(input_shape, classes, **params)`` to a model of probabilities.

The re-exports below are the registry: a new architecture is one function, one line here and one YAML
file in ``conf/model/``.
"""

from dmf_cli.models._attention_unet import attention_unet as attention_unet
from dmf_cli.models._deeplabv3plus import deeplabv3plus as deeplabv3plus
from dmf_cli.models._hub import hub as hub
from dmf_cli.models._resunet import resunet as resunet
from dmf_cli.models._segformer import segformer as segformer
from dmf_cli.models._unet import unet as unet
from dmf_cli.models._unetpp import unetpp as unetpp

__registry__ = ("attention_unet", "deeplabv3plus", "hub", "resunet", "segformer", "unet", "unetpp")
