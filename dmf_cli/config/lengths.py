"""Lists with one number a class or a term, and shares of so many terms: as long as they have to be?

Asked when the config is composed, so that a sweep learns it before it begins.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError

Plain = Mapping[str, Any]
TASKS = {"lesion": 2, "type": 3}  # classes of the phantom, which has no key for them
TWO = ("bce", "ce", "explog", "focal")  # terms that weigh background and foreground of one channel


def check(config: Config) -> None:
    """Whether lists in ``loss``, ``auxiliary`` and ``weighting`` fit the classes and the terms.

    Raises:
        ConfigError: the first one that does not.
    """
    channels = _channels(config)
    for name, params in config.loss.terms.items():
        _check_classes(f"loss.terms.{name}", name, params, channels)
    _check_classes("auxiliary.params", config.auxiliary.name, config.auxiliary.params, channels)
    _check_terms(config.weighting.params, list(config.loss.terms))


def planned_classes(dataset: Plain) -> int | None:
    """How many classes a ``dataset`` group, which may lack keys, names with the background.

    None where only the data know.
    """
    named = dataset.get("classes")
    if isinstance(named, list | tuple):
        return len(named)
    return TASKS.get(str(dataset.get("task"))) if dataset.get("kind") == "phantom" else None


def _channels(config: Config) -> int | None:
    """Of the network's output; None where the classes are not known yet."""
    count = planned_classes(config.plain["dataset"])
    return 1 if count is not None and config.model.head == "sigmoid" else count


def _check_classes(where: str, term: str, params: Plain, channels: int | None) -> None:
    given = params.get("class_weights")
    if given is None or channels is None:
        return
    needed = max(2, channels) if term in TWO else channels
    if len(given) != needed:
        classes = "background first" if needed > 1 else "that of the one channel"
        raise ConfigError(
            key=f"{where}.class_weights",
            value=given,
            allowed=f"{needed} number{'s' if needed > 1 else ''}, one a class, {classes}",
        )
    if not any(given):
        raise ConfigError(key=f"{where}.class_weights", value=given, allowed="at least one number above 0")


def _check_terms(weighting: Plain, terms: list[str]) -> None:
    count, ideal = len(terms), weighting.get("ideal")
    if isinstance(ideal, list | tuple) and len(ideal) != count:
        raise ConfigError(
            key="weighting.ideal",
            value=ideal,
            allowed=f"one number, or {count}, one a term ({', '.join(terms)})",
        )
    reference = weighting.get("reference_term", 0)
    if isinstance(reference, int) and reference >= count:
        raise ConfigError(
            key="weighting.reference_term", value=reference, allowed=f"0 to {count - 1} ({', '.join(terms)})"
        )
    fits: Callable[[float], bool]
    for key, fits in (
        ("floor", lambda share: share * count <= 1),
        ("ceiling", lambda share: share * count >= 1),
    ):
        share = weighting.get(key)
        if isinstance(share, int | float) and not fits(share + (1e-12 if key == "ceiling" else -1e-12)):
            limit = "at most" if key == "floor" else "at least"
            raise ConfigError(
                key=f"weighting.{key}",
                value=share,
                hint=f"with {count} term{'s' if count > 1 else ''} give {limit} {1 / count:.4g} (1/terms)",
            )
