"""The strategies that are replayed: by their options, with what the recorded run knows of itself."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dmf_cli import config as configs
from dmf_cli import runtime
from dmf_cli.config import keys, types
from dmf_cli.config.typed import Choice
from dmf_cli.errors import ConfigError, UsageError
from dmf_cli.replaying.history import History
from dmf_cli.replaying.tables import USED
from dmf_cli.run_folder import stored_config

if TYPE_CHECKING:
    from dmf_cli.weighting import Strategy


def weighting_configs(overrides: Sequence[str], own: Sequence[str] = ()) -> dict[str, Choice]:
    """Option -> weighting group, for each option of ``weighting=A,B`` with the parameters that it has.

    Args:
        overrides: of the command line.
        own: the override that finds groups of the user's (``--config-dir``).

    Raises:
        ConfigError: no strategy, an unknown one, or a parameter that none of them has.
    """
    options: list[str] = []
    params: list[str] = []
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "weighting":
            options += [name.strip() for name in value.split(",") if name.strip()]
        elif key.startswith("weighting.") and "=" in override:
            params.append(override)
        else:
            taken = "weighting=A,B or weighting.KEY=VALUE"
            raise ConfigError(f"{override} cannot be replayed", key=key, value=value, allowed=taken)
    if not options:
        raise ConfigError("no strategy is given", key="weighting", hint="say which, as weighting=mad,var")
    groups = {option: configs.compose([f"weighting={option}", *own]).weighting for option in options}
    known = {
        option: {k for k in keys.meanings({"weighting": option}) if k.startswith("weighting.")}
        | {f"weighting.{key}" for key in groups[option].params}
        for option in options
    }
    for param in params:
        key = param.partition("=")[0]
        if not any(key in names for names in known.values()):
            every = sorted({name.partition(".")[2] for names in known.values() for name in names})
            raise types.unknown_key("weighting.", key.partition(".")[2], every)
    for option in options:
        mine = [param for param in params if param.partition("=")[0] in known[option]]
        if mine:
            groups[option] = configs.compose([f"weighting={option}", *mine, *own]).weighting
    return groups


def replay(recorded: History, chosen: Mapping[str, Choice]) -> dict[str, np.ndarray]:
    """Label -> the weights ``(steps, terms)`` that each strategy would have given, those of the run first.

    Imports Keras, on the CPU if it is not there yet.

    Args:
        recorded: the losses.
        chosen: of :func:`weighting_configs`.

    Raises:
        UsageError: a strategy that these losses are not enough for.
    """
    folder = recorded.source.is_dir()
    trainer = (stored_config.load_run(recorded.source) if folder else configs.compose()).trainer
    trainer = dataclasses.replace(trainer, device="cpu", precision="float32", jit=False, deterministic=False)
    runtime.start(trainer)
    from dmf_cli import weighting

    gradients = recorded.gradients or None
    made = strategies(recorded, chosen)
    weights = {label: weighting.replay(s, recorded.losses, gradients=gradients) for label, s in made.items()}
    return weights if recorded.used is None else {USED: recorded.used, **weights}


def strategies(recorded: History, chosen: Mapping[str, Choice]) -> "dict[str, Strategy]":
    """Label -> strategy, with the coefficients, the seed and the length of the run that was recorded."""
    from dmf_cli.training import build

    rows = len(recorded.losses)
    trained = stored_config.load_run(recorded.source) if recorded.source.is_dir() else None
    coefficients = trained.loss.coefficients if trained else dict.fromkeys(recorded.terms, 1.0)
    prior = [coefficients[term] for term in recorded.terms]
    known = {"steps_per_epoch": recorded.steps_per_epoch, "seed": trained.seed if trained else 0}
    epochs = trained.trainer.epochs if trained else None
    # A run that was cut short has the warm-up of its whole length.
    planned = epochs * (recorded.steps_per_epoch or 0) if isinstance(epochs, int) else 0
    made = {}
    for option, one in chosen.items():
        if "warmup" in one.params:
            warmup = _warmup(recorded, one.params["warmup"], max(rows, planned))
            one = dataclasses.replace(one, params={**one.params, "warmup": warmup})
        made[option] = build.strategy(one, prior, max(rows, planned), known)
        _check_losses(recorded, made[option])
    return made


def _warmup(recorded: History, wanted: Any, steps: int) -> Any:
    """``wanted`` with auto resolved; an error where the recorded losses end inside of it."""
    from dmf_cli.training import build

    warmup = build.automatic_warmup(steps) if wanted == "auto" else wanted
    rows = len(recorded.losses)
    if isinstance(warmup, int) and warmup >= rows:
        raise ConfigError(
            f"{recorded.source} has {rows} rows and weighting.warmup is {warmup}, so all weights stay equal",
            key="weighting.warmup",
            value=warmup,
            path=recorded.source,
            allowed="more rows, or a lower weighting.warmup",
        )
    return warmup


def _check_losses(recorded: History, strategy: "Strategy") -> None:
    """What a strategy needs and these losses do not have."""
    for i, term in enumerate(recorded.terms):
        if strategy.needs_positive and (recorded.losses[:, i] < 0).any():
            needs = f"weighting {strategy.name} needs losses of 0 and above, and {term} is negative"
            raise ConfigError(needs, key="weighting", value=strategy.name, hint="replay without it")
    if not strategy.needs_gradients:
        return
    if not recorded.gradients:
        raise UsageError(
            f"weighting {strategy.name} needs the gradient of each loss, and {recorded.source} recorded none",
            key="weighting",
            value=strategy.name,
            path=recorded.source,
            hint="train with trainer.insight_every=10, or replay without it",
        )
    if strategy.every % recorded.gradients_every:
        raise ConfigError(
            key="weighting.every",
            value=strategy.every,
            reason=f"for which {strategy.name} needs more gradients than were recorded",
            allowed=f"weighting.every={recorded.gradients_every}",
        )
