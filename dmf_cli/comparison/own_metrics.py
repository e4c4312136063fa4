"""Metrics of users in a comparison: two of one name are one only if direction and plugin are equal."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

DEFINES = {"better": "better", "hash": "hash of its plugin"}  # what makes a metric another one, for people


@dataclasses.dataclass(frozen=True)
class OwnMetric:
    """What a summary says of a metric of the user's; without a name, it is one of dmf.

    Args:
        name: of the function.
        better: ``high`` or ``low``; empty where the summary does not say it.
        hash: of the plugin that defines it; empty in summaries of before there was one.
        parameters: as ``tolerance=1``; None: it has none.
        choice: ``metrics=full+NAME``, with all that the run was scored with.
    """

    name: str = ""
    better: str = ""
    hash: str = ""
    parameters: str | None = dataclasses.field(default=None, compare=False)
    choice: str = dataclasses.field(default="", compare=False)

    @classmethod
    def of(cls, settings: Mapping[str, Any], name: str) -> Self:
        """The metric ``name`` by the settings of a summary, in which anything may be damaged."""
        own = entry(settings, name)
        if not own:
            return cls()
        better, hash, params = (own.get(key) for key in ("better", "hash", "params"))
        base = "full" if "missed" in settings else "default"
        parameters = ", ".join(f"{k}={v}" for k, v in params.items()) if isinstance(params, Mapping) else ""
        return cls(
            name=name,
            better=better if better in ("high", "low") else "",
            hash=hash if isinstance(hash, str) else "",
            parameters=parameters or None,
            choice=f"metrics={'+'.join([base, *settings['own_metrics']])}",
        )

    def differences(self, other: Self) -> str:
        """How ``other`` is another metric: ``better high and low``."""
        pairs = {said: (getattr(self, key), getattr(other, key)) for key, said in DEFINES.items()}
        return "; ".join(
            f"{said} {one or 'unknown'} and {two or 'unknown'}"
            for said, (one, two) in pairs.items()
            if one != two
        )


def entry(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What the settings of a summary say of a metric of the user's; empty for those of dmf."""
    every = settings.get("own_metrics")
    one = every.get(name) if isinstance(every, Mapping) else None
    return one if isinstance(one, Mapping) else {}


def completed(scored: Sequence[tuple[str, OwnMetric]]) -> list[OwnMetric]:
    """The metrics of runs; what a summary does not say is what the others say, where these agree.

    Args:
        scored: of each run a hash of its images, and its metric: only runs of the same images count.
    """
    said: dict[tuple[str, str], set[str]] = {}
    for images, metric in scored:
        for key in DEFINES:
            said.setdefault((images, key), set()).update({getattr(metric, key)} - {""})

    def value(images: str, metric: OwnMetric, key: str) -> str:
        others = said[images, key]
        return str(getattr(metric, key)) or (next(iter(others)) if len(others) == 1 else "")

    return [
        dataclasses.replace(metric, **{key: value(images, metric, key) for key in DEFINES})
        for images, metric in scored
    ]
