"""The commands of ``dmf`` for Python and notebooks, on the same objects; ``import dmf_cli`` offers them.

    run = dmf_cli.train(loss="cbdice+ce", dataset="phantom", seed=0)
    run = dmf_cli.load("outputs/busi")
    runs = dmf_cli.sweep(weighting=["fixed", "var"], seed=range(3))
    dmf_cli.compare(runs, baseline="weighting=fixed")

Tables are ``pandas.DataFrame`` where pandas is installed, else dictionaries of NumPy arrays.
Errors are those of :mod:`dmf_cli.errors`, with fields: ``key``, ``value``, ``allowed``, ``hint``, ``path``.
"""

from dmf_cli.api.comparing import Comparison as Comparison
from dmf_cli.api.comparing import Plot as Plot
from dmf_cli.api.comparing import compare as compare
from dmf_cli.api.planning import plan as plan
from dmf_cli.api.replaying import replay as replay
from dmf_cli.api.run import Run as Run
from dmf_cli.api.run import Scores as Scores
from dmf_cli.api.run import load as load
from dmf_cli.api.sweeping import Runs as Runs
from dmf_cli.api.sweeping import sweep as sweep
from dmf_cli.api.training import train as train
from dmf_cli.api.tuning import Study as Study
from dmf_cli.api.tuning import tune as tune
from dmf_cli.api.verifying import bundle as bundle
from dmf_cli.api.verifying import verify as verify
