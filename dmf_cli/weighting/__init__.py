"""Weighting strategies: how much each loss counts, decided from the history of their values.

One strategy is one small class of pure functions, looked up by name. A new strategy is one class with the
decorator, one re-export below and one YAML file in ``conf/weighting/``.
"""

from typing import Any

from dmf_cli import lookup, parameters
from dmf_cli.parts import registry
from dmf_cli.parts.definitions import of_package
from dmf_cli.weighting._bayes import bayes as bayes
from dmf_cli.weighting._cov import cov as cov
from dmf_cli.weighting._dwa import dwa as dwa
from dmf_cli.weighting._equal import equal as equal
from dmf_cli.weighting._famo import famo as famo
from dmf_cli.weighting._fixed import fixed as fixed
from dmf_cli.weighting._geometric import geometric as geometric
from dmf_cli.weighting._gradnorm import gradnorm as gradnorm
from dmf_cli.weighting._imtl_l import imtl_l as imtl_l
from dmf_cli.weighting._lr_annealing import lr_annealing as lr_annealing
from dmf_cli.weighting._mad import mad as mad
from dmf_cli.weighting._random import random as random
from dmf_cli.weighting._relobralo import relobralo as relobralo
from dmf_cli.weighting._replay import replay as replay
from dmf_cli.weighting._softadapt import softadapt as softadapt
from dmf_cli.weighting._stch import stch as stch
from dmf_cli.weighting._strategy import Strategy as Strategy
from dmf_cli.weighting._terms import check_terms as check_terms
from dmf_cli.weighting._trial import fault as fault
from dmf_cli.weighting._uncertainty import uncertainty as uncertainty
from dmf_cli.weighting._var import var as var

__registry__ = tuple(of_package("strategy"))


def get(name: str, **params: Any) -> Strategy:
    """The strategy ``name`` with ``params``: ``get("var", warmup=20, window=100)``.

    Raises:
        UnknownNameError: for a strategy or a parameter that does not exist; names the closest one.
        ConfigError: for a parameter out of range.
    """
    strategy = registry.find("strategy", name)
    lookup.check_keywords(name, strategy, params)
    parameters.check(strategy, params, "weighting.")
    made: Strategy = strategy(**params)
    return made
