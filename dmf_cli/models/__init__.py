"""Architectures: one is a function ``(input_shape, classes, **params)`` to a model of probabilities.

A new architecture is one function with the decorator, one re-export below and one YAML file in
``conf/model/``.
"""

from dmf_cli.models._attention_unet import attention_unet as attention_unet
from dmf_cli.models._deeplabv3plus import deeplabv3plus as deeplabv3plus
from dmf_cli.models._hub import hub as hub
from dmf_cli.models._nnunet import nnunet as nnunet
from dmf_cli.models._resunet import resunet as resunet
from dmf_cli.models._segformer import segformer as segformer
from dmf_cli.models._unet import unet as unet
from dmf_cli.models._unet_encoder import unet_encoder as unet_encoder
from dmf_cli.models._unetpp import unetpp as unetpp
from dmf_cli.parts.definitions import of_package

__registry__ = tuple(of_package("model"))
