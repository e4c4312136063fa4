"""Augmentations: random changes of the training images of one batch, and of their masks with them.

One is a function ``(images, labels, draw, *, ...) -> (images, labels)`` of TensorFlow tensors, for it is a
part of the input pipeline, whichever backend trains. All randomness comes from ``draw``. A new one is a
function with the decorator, one re-export below and one YAML file in ``conf/augment/``; those of users may
call these.
"""

from dmf_cli.augmentations._affine import affine as affine
from dmf_cli.augmentations._elastic import elastic as elastic
from dmf_cli.augmentations._nnunet import nnunet as nnunet
from dmf_cli.augmentations._strong import strong as strong
from dmf_cli.augmentations._ultrasound import ultrasound as ultrasound
