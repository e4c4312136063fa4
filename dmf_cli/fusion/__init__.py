"""Several losses fused into one training objective, inside the compiled graph."""

from dmf_cli.fusion.auxiliary import Auxiliary as Auxiliary
from dmf_cli.fusion.model import FusedModel as FusedModel
from dmf_cli.fusion.model import fuse as fuse
