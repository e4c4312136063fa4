"""The properties that every loss, network, strategy, metric and augmentation has to have.

The tests of dmf look at its own parts with them, and ``dmf check`` at any part. A module a kind, a function a
property; each looks from the smallest input on, and a failure shows the first that lacks it.
"""

import functools
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from dmf_cli import parameters
from dmf_cli.checking.findings import FAILED as FAILED
from dmf_cli.checking.findings import PropertyResult as PropertyResult
from dmf_cli.checking.findings import outcomes
from dmf_cli.errors import UsageError
from dmf_cli.parts import plugins, registry
from dmf_cli.parts.kinds import KINDS as KINDS_OF_PARTS

# Kind of part -> the module of its properties.
KINDS = {
    "loss": "losses",
    "model": "models",
    "strategy": "strategies",
    "metric": "metrics",
    "augmentation": "augmentations",
}
METRICS = KINDS_OF_PARTS["metric"].arguments  # those of dmf that take something else are not tried
SOON = {
    "warmup": 4,
    "steps_per_epoch": 3,
}  # of a strategy, where nothing else is asked for: it is to adapt soon


def check(kind: str, name: str, params: Mapping[str, Any]) -> Iterator[PropertyResult]:
    """Yield the result of each property of a part right after its check.

    Args:
        kind: a key of :data:`KINDS`.
        name: of the part.
        params: its parameters; others have their defaults.

    Raises:
        UnknownNameError: there is no such part.
        PluginError: its file cannot be imported.
        ConfigError: a parameter out of range.
    """
    module = importlib.import_module(f"dmf_cli.checking.{KINDS[kind]}")
    function = registry.find(kind, name)
    if kind != "strategy":
        parameters.check(function, params)
    yield from outcomes(
        _subject(kind, name, function, params), (*module.PROPERTIES, *getattr(module, "MEASURED", ()))
    )


def _subject(kind: str, name: str, function: Any, params: Mapping[str, Any]) -> Any:
    """What the properties of ``kind`` are functions of."""
    if kind == "loss":
        from dmf_cli import losses
        from dmf_cli.checking.loss_trial import TriedLoss

        return TriedLoss.of(losses.get(name, **params))
    if kind == "strategy":
        from dmf_cli import weighting
        from dmf_cli.checking.strategy_trial import Subject

        taken = registry.definition(kind, name).parameters
        soon = {
            key: value for key, value in SOON.items() if key in taken and params.get(key) in (None, "auto")
        }
        return Subject(functools.partial(weighting.get, name, **{**params, **soon}))
    if kind == "metric":
        from dmf_cli.checking.metrics import Metric

        definition = registry.definition(kind, name)
        if plugins.of_part(definition) is None and definition.arguments not in METRICS:
            raise UsageError(
                f"metric {name} takes {', '.join(definition.arguments)}",
                key="metric",
                value=name,
                hint="dmf check tries metrics of two masks, or of counts",
            )
        better = definition.options["better"]
        return Metric(functools.partial(function, **params), better)
    if kind == "augmentation":
        from dmf_cli.checking.augmentations import Augmentation

        return Augmentation.of(function, {**registry.definition(kind, name).defaults, **params})
    from dmf_cli.checking.models import Network

    return Network(functools.partial(function, **params))
