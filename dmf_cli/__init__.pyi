from dmf_cli import augmentations as augmentations
from dmf_cli import errors as errors
from dmf_cli import losses as losses
from dmf_cli import metrics as metrics
from dmf_cli import models as models
from dmf_cli import weighting as weighting
from dmf_cli.api import bundle as bundle
from dmf_cli.api import compare as compare
from dmf_cli.api import load as load
from dmf_cli.api import plan as plan
from dmf_cli.api import replay as replay
from dmf_cli.api import sweep as sweep
from dmf_cli.api import train as train
from dmf_cli.api import tune as tune
from dmf_cli.api import verify as verify
from dmf_cli.fusion import Auxiliary as Auxiliary
from dmf_cli.fusion import FusedModel as FusedModel
from dmf_cli.fusion import fuse as fuse
from dmf_cli.parts import augmentation as augmentation
from dmf_cli.parts import dataset as dataset
from dmf_cli.parts import loss as loss
from dmf_cli.parts import metric as metric
from dmf_cli.parts import model as model
from dmf_cli.parts import strategy as strategy

__version__: str
