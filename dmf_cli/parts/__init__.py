"""Parts: losses, networks, strategies, metrics, augmentations and datasets, of dmf and of its users.

A part is a function or a class that carries a decorator, in a Python file. Its name and its parameters are
read from the source (:mod:`dmf_cli.parts.definitions`), so that a config can be composed and shown without
running it; its file is imported when it is used (:mod:`dmf_cli.parts.registry`). Files of users are plugins
(:mod:`dmf_cli.parts.plugins`).
"""

from dmf_cli.parts.decorators import augmentation as augmentation
from dmf_cli.parts.decorators import dataset as dataset
from dmf_cli.parts.decorators import loss as loss
from dmf_cli.parts.decorators import metric as metric
from dmf_cli.parts.decorators import model as model
from dmf_cli.parts.decorators import strategy as strategy
