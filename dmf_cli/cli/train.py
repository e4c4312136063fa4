"""``dmf train``: compose the config, check it, hand it to the trainer, as each job of a sweep does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import __version__
from dmf_cli.cli._parser import own_configs, wrong_arguments
from dmf_cli.cli._presets import note_excluded
from dmf_cli.errors import UsageError
from dmf_cli.planning import units
from dmf_cli.terminal.say import say, say_text

ONE_OF = ("dry_run", "cfg", "info", "run", "multirun")  # options that say what is to be done
# Options of Hydra's that do nothing for dmf, and what is there instead.
INSTEAD = {
    "shell_completion": "`dmf completion bash` (or zsh) prints the script that completes dmf",
    "hydra_help": "`dmf train --help` shows what can be set, `dmf train --cfg hydra` Hydra's own settings",
    "experimental_rerun": "type the command again that environment.json of the run folder records",
}


def run(arguments: Sequence[str]) -> int:
    """``dmf train ARGUMENTS``: Hydra overrides and Hydra's own options."""
    options, overrides = parse(arguments)
    composed = [*overrides, *own_configs(options.config_dir)]
    planned = _is_planned(options, composed)
    if options.help:
        from dmf_cli.cli import _train_help

        say_text(_train_help.text(composed))
        return 0
    foreign = _is_foreign(options)
    if foreign and options.dry_run:
        hint = "with another sweeper or config use --cfg job"
        raise UsageError(key="--dry-run", reason="plans the sweeps of dmf only", hint=hint)
    if not foreign:
        note_excluded([word for word in composed if word.partition("=")[0] not in units.PLANNED])
    if foreign or options.info:
        from dmf_cli.cli import _hydra

        return _hydra.run(options)
    if options.cfg:
        from dmf_cli.cli import _show_config

        say_text(_show_config.text(composed, options))
        return 0
    from dmf_cli.cli import _sweep

    if planned:
        _plan(composed)
        return 0
    if options.multirun or options.dry_run:
        return _sweep.run(composed, dry=options.dry_run, multirun=options.multirun)
    _sweep.note_sweep(composed)
    _train(composed)
    return 0


def parse(arguments: Sequence[str]) -> tuple[Any, list[str]]:
    """Hydra's options and the overrides, which may stand in any order.

    Raises:
        UsageError: an option that Hydra does not have (closest match), or two that exclude each other.
    """
    from hydra._internal.utils import get_args_parser

    if "--version" in arguments:
        say(f"dmf {__version__}")
        raise SystemExit(0)
    parser = get_args_parser()
    parser.prog = "dmf train"
    parser.add_argument("--dry-run", action="store_true")

    def fail(message: str) -> None:
        raise wrong_arguments(parser, message, arguments, units.PLANNED)

    parser.error = fail  # type: ignore[method-assign, assignment]
    options = parser.parse_intermixed_args(list(arguments))
    _check_options(options)
    return options, list(options.overrides)


def _check_options(options: Any) -> None:
    for option, instead in INSTEAD.items():
        if getattr(options, option):
            key = f"--{option.replace('_', '-')}"
            raise UsageError(key=key, reason="does nothing for dmf", hint=instead)
    given = [f"--{option.replace('_', '-')}" for option in ONE_OF if getattr(options, option)]
    if len(given) > 1 and given != ["--dry-run", "--multirun"]:
        raise UsageError(f"{' and '.join(given)} exclude each other", hint="see dmf train --help")
    if options.resolve and not (options.cfg or options.help):
        reason = "works with --cfg or --help only"
        raise UsageError(key="--resolve", reason=reason, hint="see dmf train --help")


def _is_planned(options: Any, words: Sequence[str]) -> bool:
    """Whether ``plan=auto`` is given, and not where nothing is planned."""
    if not units.is_asked(words):
        return False
    if options.help or options.cfg or options.info:
        hint = "dmf plan shows what it would train with"
        raise UsageError(key="plan", reason="plans and trains", hint=hint)
    if options.multirun or options.dry_run:
        reason = "which plans one run, not a sweep"
        raise UsageError(key="plan", value="auto", reason=reason, hint="train alone, or use dmf plan before")
    return True


def _is_foreign(options: Any) -> bool:
    """Whether Hydra is to run by itself: with another sweeper than its own, or another config than ours."""
    sweeper = any(override.startswith("hydra/sweeper") for override in options.overrides)
    return bool(sweeper or options.config_path or options.config_name)


def _train(overrides: Sequence[str], plan: Mapping[str, Any] | None = None) -> Path:
    from dmf_cli.config import composer, hydra_settings
    from dmf_cli.jobs import child

    config = composer.compose_raw(overrides, hydra=True)
    hydra_settings.check(hydra_settings.detached(config))
    return child.run(composer.finish(config, overrides), None, plan)


def _plan(composed: Sequence[str]) -> None:
    """``plan=auto``: plan, train so, and say how long it took beside what was expected."""
    from dmf_cli.planning import plan
    from dmf_cli.planning.follow import follow

    made = plan.make([word for word in composed if not word.startswith("plan=")])
    say_text(f"{made}\n")
    follow(made, lambda note: _train(made.overrides, note))
