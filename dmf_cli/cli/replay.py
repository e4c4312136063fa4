"""``dmf replay``: the weights that other strategies would have given on recorded losses, without training."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmf_cli.cli._parser import Parser, add_config_dir, own_configs
from dmf_cli.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from dmf_cli.config.typed import Choice
    from dmf_cli.replaying.history import History
    from dmf_cli.weighting import Strategy

_ABOUT = """\
Runs weighting strategies over the losses of a run, or of a CSV with one column a loss, and shows the weights
they would have given: a table, and a plot with a panel each. Nothing is trained. What it cannot show is how
the losses would have changed under other weights.

examples:
  dmf replay outputs/busi weighting=mad,var,softadapt
  dmf replay outputs/busi weighting=var,mad weighting.window=50 weighting.warmup=20
  dmf replay losses.csv weighting=cov,dwa weighting.steps_per_epoch=100 -o somewhere

A parameter goes to the strategies that have it. Those that need gradients (gradnorm, lr_annealing) need a run
that recorded them: trainer.insight_every=K, replayed with weighting.every=K.
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf replay RUN|FILE.csv weighting=A,B [weighting.KEY=VALUE] [-o DIR] [--config-dir DIR]``."""
    parser = Parser(prog="dmf replay", description=_ABOUT)
    parser.add_argument("source", metavar="RUN|FILE.csv", type=Path, help="a run folder, or a CSV of losses")
    parser.add_argument("overrides", nargs="+", metavar="weighting=A,B", help="and weighting.KEY=VALUE")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="default: RUN/replay or FILE_replay")
    add_config_dir(parser)
    # Intermixed: weighting=... may stand before and after -o.
    options = parser.parse_intermixed_args(list(arguments))
    from dmf_cli.replaying import history

    recorded = history.read(options.source)  # an error in it is reported before anything slow is imported
    configs = weighting_configs(options.overrides, own_configs(options.config_dir))
    folder = options.output or _folder(options.source)
    _replay(recorded, configs, folder)
    print(f"written to {folder}")
    return 0


def weighting_configs(overrides: Sequence[str], own: Sequence[str] = ()) -> "dict[str, Choice]":
    """Option -> weighting group, for each option of ``weighting=A,B`` with the parameters that it has.

    Args:
        overrides: of the command line.
        own: the override that finds groups of the user's (``--config-dir``).

    Raises:
        ConfigError: no strategy, an unknown one, or a parameter that none of them has.
    """
    from dmf_cli import config
    from dmf_cli.config import keys, types

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
    groups = {option: config.compose([f"weighting={option}", *own]).weighting for option in options}
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
            groups[option] = config.compose([f"weighting={option}", *mine, *own]).weighting
    return groups


def strategies(recorded: "History", configs: Mapping[str, "Choice"]) -> "dict[str, Strategy]":
    """Label -> strategy, with the coefficients, the seed and the length of the run that was recorded."""
    from dmf_cli.run_folder import stored_config
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
    for option, chosen in configs.items():
        if "warmup" in chosen.params:
            warmup = _warmup(recorded, chosen.params["warmup"], max(rows, planned))
            chosen = dataclasses.replace(chosen, params={**chosen.params, "warmup": warmup})
        made[option] = build.strategy(chosen, prior, max(rows, planned), known)
        _check_losses(recorded, made[option])
    return made


def _warmup(recorded: "History", wanted: Any, steps: int) -> Any:
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


def _check_losses(recorded: "History", strategy: "Strategy") -> None:
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


def _replay(recorded: "History", configs: Mapping[str, "Choice"], folder: Path) -> None:
    from rich.console import Console

    from dmf_cli import runtime
    from dmf_cli.config import compose
    from dmf_cli.figures import matplotlib_renderer
    from dmf_cli.files import disk_errors
    from dmf_cli.replaying import plots, tables
    from dmf_cli.run_folder.stored_config import load_run

    trainer = (load_run(recorded.source) if recorded.source.is_dir() else compose()).trainer
    trainer = dataclasses.replace(trainer, device="cpu", precision="float32", jit=False, deterministic=False)
    runtime.start(trainer)
    from dmf_cli import weighting

    made = strategies(recorded, configs)
    gradients = recorded.gradients or None
    weights = {label: weighting.replay(s, recorded.losses, gradients=gradients) for label, s in made.items()}
    if recorded.used is not None:
        weights = {tables.USED: recorded.used, **weights}
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tables.write(folder, recorded, weights)
    losses = dict(zip(recorded.terms, recorded.losses.T, strict=True))
    figure = plots.weights(recorded.steps.tolist(), losses, weights)
    matplotlib_renderer.write(folder, figure, recorded.source.resolve().name)
    Console().print(tables.render(recorded, weights))


def _folder(source: Path) -> Path:
    return source / "replay" if source.is_dir() else source.with_name(f"{source.stem}_replay")
