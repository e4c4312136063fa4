"""Configs from the command line's words, and back from the file of a run."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import conf_files
from dmf_cli.config import checks, code, dataset_schema, plugin_options, schema
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError


def compose(overrides: Sequence[str] = ()) -> Config:
    """The config that ``dmf train OVERRIDES`` would train with, as a checked object.

    Raises:
        ConfigError: in one line, for whatever is wrong with an override or with a value.

    Example:
        >>> compose(["loss=dice+bce", "trainer.epochs=3"]).trainer.epochs
        3
    """
    return finish(compose_raw(overrides), overrides)


def compose_raw(overrides: Sequence[str], *, hydra: bool = False) -> Any:
    """The OmegaConf config, neither resolved nor checked; with the ``hydra`` node on request."""
    from dmf_cli.config import messages

    try:
        return _compose(overrides, hydra)
    except messages.COMPOSE_ERRORS as error:
        raise messages.explain(error, overrides, base(overrides)) from error


def finish(
    config: Any, overrides: Sequence[str] = (), *, missing: bool = False, stored: bool = False
) -> Config:
    """An OmegaConf config as a checked object: interpolations resolved, nothing missing unless allowed.

    ``stored``: it is of a run that is trained already.
    """
    from omegaconf import OmegaConf

    from dmf_cli.config import messages

    code.check_references(code.references(OmegaConf.to_container(config, resolve=False)))
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=not missing)
    except messages.COMPOSE_ERRORS as error:
        raise messages.explain(error, overrides) from error
    assert isinstance(plain, dict)
    plugin_options.activate_listed(plain.setdefault("plugins", []))
    settings = {str(key): value for key, value in plain.items()}
    return plugin_options.with_used(checks.validate(settings, stored=stored))


def override(config: Config, overrides: Sequence[str]) -> Config:
    """The ``config`` of a run with ``KEY=VALUE`` overrides of existing keys (no groups), checked again.

    Raises:
        ConfigError: for an unknown key (closest match) or a wrong value.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from dmf_cli.config import messages

    changed = OmegaConf.create(dict(config.plain))
    OmegaConf.set_struct(changed, True)
    try:
        for item in OverridesParser.create().parse_overrides(list(overrides)):
            if item.is_add() or item.is_force_add() or item.is_delete() or item.is_sweep_override():
                raise ConfigError(
                    f"{item.input_line} cannot be used here",
                    hint="only KEY=VALUE of keys that the config has",
                )
            key = item.key_or_group
            try:
                OmegaConf.update(changed, key, item.value(), merge=True)
            except OmegaConfBaseException as error:
                raise messages.no_such_key(key, config.plain) from error
    except messages.COMPOSE_ERRORS as error:
        raise messages.explain(error, overrides, config.plain) from error
    return finish(changed, overrides, stored=True)


def completed(config: Config) -> Config:
    """The ``config`` of a run with the keys that came after it, as they are by default: to score it, not to
    train on with it, for an option that is on by default may be one that the run was trained without.
    """
    fresh = compose().plain
    groups = {group: {**fresh[group], **config.plain.get(group, {})} for group in schema.PLAIN}
    return Config({**fresh, **config.plain, **groups})


def with_absolute_paths(config: Config) -> Config:
    """``config`` whose inputs are found from any folder: a run is resumed and scored from elsewhere too."""
    images = [key for key in dataset_schema.places(config.plain["dataset"]) if key != "download"]
    places = [*(("dataset", key) for key in images), ("split", "file"), ("model", "weights")]
    for group, key in places:
        if (given := config.plain[group].get(key)) and isinstance(given, str):
            config = config.changed(group, **{key: str(Path(given).expanduser().absolute())})
    return config


def to_yaml(config: Config) -> str:
    """``config`` as YAML text, which :func:`load_run` reads back to the same values."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(dict(config.plain)))


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What ``dmf train -m OVERRIDES`` asks for.

    Args:
        settings: the config without its choices, as an OmegaConf node with ``hydra``.
        jobs: the overrides of each job.
        hydra: overrides of Hydra's own keys, which hold for all of them.
    """

    settings: Any
    jobs: list[list[str]]
    hydra: list[str]


def sweep(overrides: Sequence[str]) -> Sweep:
    """The jobs of a sweep: one for each combination of choices, also those of ``hydra.sweeper.params``.

    Raises:
        ConfigError: an override is wrong. What single jobs get wrong is found when they are composed.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    from dmf_cli.config import messages

    try:
        with loaded(overrides) as (loader, settings):
            # Unresolved: ${seed} in a value is of each job.
            given: Any = OmegaConf.to_container(settings.hydra.overrides, resolve=False)
            sweeper: Any = OmegaConf.to_container(settings.hydra.sweeper, resolve=False)
            params = sweeper.get("params") or {}
            task = [word for word in _as_hydra(overrides) if word not in given["hydra"]]
            words = [*(f"{key}={value}" for key, value in params.items()), *task]
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(words)
            jobs = BasicSweeper.split_arguments(parsed, None)[0]
    except messages.COMPOSE_ERRORS as error:
        raise messages.explain(error, overrides, base(overrides)) from error
    return Sweep(settings, jobs, given["hydra"])


@contextlib.contextmanager
def loaded(overrides: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """Hydra's config loader, and the config of a whole sweep: without its choices, with ``hydra``.

    It has the default option of a group that is swept, so keys of groups are left to the jobs.
    """
    from hydra.types import RunMode

    words = [word for word in _as_hydra(overrides) if not _is_of_group(word)]
    with _hydra() as loader:
        yield loader, loader.load_configuration(conf_files.ROOT_CONFIG, words, RunMode.MULTIRUN)


def left_out(overrides: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``experiment=NAME`` or ``recipe=NAME`` -> its keys that are not used, as an option of their group is
    typed; without typed keys.

    Raises:
        ConfigError: an override is wrong.
    """
    from dmf_cli.config import loader, messages

    words = _as_hydra(overrides)
    typed = {word.partition("=")[0] for word in words}
    presets = {key: word for word in words if (key := word.partition("=")[0]) in conf_files.PRESETS}
    if not presets or not loader.typed_groups(words):
        return {}
    rest = [word for word in words if word.partition("=")[0] not in presets]
    found = {}
    try:
        for preset in itertools.chain.from_iterable(map(_each, presets.values())):
            with loaded([*rest, preset]) as (used, _):
                found[preset] = {key: v for key, v in used.left_out.items() if key not in typed}
    except messages.COMPOSE_ERRORS as error:
        raise messages.explain(error, overrides, base(overrides)) from error
    return {preset: gone for preset, gone in found.items() if gone}


def preset_keys(overrides: Sequence[str]) -> dict[str, str]:
    """Dotted keys that an experiment or a recipe among ``overrides`` sets, and which one does, as
    ``recipe=strong``; without typed keys.

    Raises:
        ConfigError: an override is wrong.
    """
    from dmf_cli.config import messages

    typed = {word.partition("=")[0] for word in _as_hydra(overrides)}
    if not typed.intersection(conf_files.PRESETS):
        return {}
    try:
        with loaded(overrides) as (used, _):
            return {key: who for key, who in used.preset.items() if key not in typed}
    except messages.COMPOSE_ERRORS as error:
        raise messages.explain(error, overrides, base(overrides)) from error


def _each(word: str) -> list[str]:
    """The words that a choice stands for: ``seed=0,1`` is ``seed=0`` and ``seed=1``."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    with _hydra() as loader:
        (parsed,) = OverridesParser.create(config_loader=loader).parse_overrides([word])
        values = parsed.sweep_string_iterator() if parsed.is_sweep_override() else None
        return [word] if values is None else [f"{parsed.key_or_group}={value}" for value in values]


def _as_hydra(overrides: Sequence[str]) -> list[str]:
    from dmf_cli.config import loader

    return [loader.as_hydra(word) for word in overrides]


def _is_of_group(word: str) -> bool:
    """Whether an override is of a key of a group, as ``weighting.warmup=2``."""
    group, dot, _ = word.lstrip("+~").partition("=")[0].partition(".")
    return bool(dot) and group in conf_files.groups()


def _compose(overrides: Sequence[str], with_hydra: bool) -> Any:
    import hydra

    with _hydra():
        return hydra.compose(conf_files.ROOT_CONFIG, list(overrides), return_hydra_config=with_hydra)


@contextlib.contextmanager
def _hydra() -> Iterator[Any]:
    """Hydra's config loader for ``conf/``, with loss expressions; leaves a Hydra that runs as it is."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    from dmf_cli.config import source

    source.register()
    outer = GlobalHydra.instance().hydra  # of the job that asks, if it runs under @hydra.main
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(conf_files.conf_dir()), version_base="1.3", job_name="train"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = outer


def base(overrides: Sequence[str]) -> Any:
    """The config with the choices of groups only: the keys that could have been meant."""
    from dmf_cli.config import messages

    known = conf_files.groups()
    for kept in ([o for o in overrides if o.lstrip("+").partition("=")[0] in known], []):
        try:
            return _compose(kept, False)
        except messages.COMPOSE_ERRORS:
            continue
    return None
