"""Weighting strategies: how much each loss counts, decided from the history of their values.

One strategy is one small class of pure functions, looked up by name. The re-exports below are the
registry: a new strategy is one class, one line here and one YAML file in ``conf/weighting/``.
"""

import sys
from typing import Any

from dmf_cli import _lookup
from dmf_cli.weighting._base import Strategy as Strategy
from dmf_cli.weighting._bayes import bayes as bayes
from dmf_cli.weighting._fixed import fixed as fixed
from dmf_cli.weighting._mad import mad as mad
from dmf_cli.weighting._replay import replay as replay
from dmf_cli.weighting._var import var as var

__registry__ = ("bayes", "fixed", "mad", "var")


def get(name: str, **params: Any) -> Strategy:
    """The strategy ``name`` with ``params``: ``get("var", warmup=20, window=100)``.

    Raises:
        UnknownNameError: for a strategy or a parameter that does not exist; names the closest one.
        ConfigError: for a parameter out of range.
    """
    strategy = _lookup.find("weighting", sys.modules[__name__], name)
    _lookup.check_keywords(name, strategy, params)
    return strategy(**params)
