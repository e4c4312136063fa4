"""What a run is scored with: its config with other images or other settings of the score."""

from collections.abc import Sequence
from pathlib import Path

from dmf_cli import conf_files
from dmf_cli import config as configs
from dmf_cli.config.typed import Config
from dmf_cli.config.types import unknown_key
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.run_folder import stored_config

SPLITS = ("train", "val", "test", "all")
# What the network was trained on: kept when it is scored on other images, unless said otherwise.
INPUT_KEYS = ("image_size", "patch", "channels", "resize", "normalize", "range")
SCORE_KEYS = ("threshold", "empty")
# What a score depends on; the rest of a config is about the training, which is over.
READ = (
    *("dataset.", "metrics.", "predict.", "eval.", "split."),
    *(f"trainer.{key}" for key in ("batch_size", "backend", "device", "deterministic")),
)

MASK_KEYS = ("predict.", "metrics.threshold", "trainer.batch_size", "trainer.device")


def evaluation_config(run: Path, overrides: Sequence[str], own: Sequence[str] = ()) -> tuple[Config, str]:
    """The config of the run with ``overrides``, and the split to score.

    Args:
        run: the run folder.
        overrides: ``split=NAME`` (default test), ``dataset=NAME`` and its keys (a new dataset group that
            keeps the run's image size, channels, resizing and normalisation), ``metrics=NAME`` (keeps the
            run's threshold and rule for empty masks), or a key of :data:`READ`.
        own: the override that finds groups of the user's (``--config-dir``).

    Raises:
        UsageError: not a run, an unknown split, a wrong override, or one that changes no score.
    """
    config, rest, split = configs.completed(stored_config.load_run(run)), [], "test"
    for override in overrides:
        key, _, value = override.partition("=")
        if value.lstrip().startswith("{"):
            raise ConfigError(key=key, value=value, allowed="single keys, such as metrics.threshold=0.4")
        if key == "split":
            split = value
        else:
            rest.append(override)
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    if any(override.startswith("dataset=") for override in rest):
        data = [override for override in rest if override.startswith(("dataset=", "dataset."))]
        config = _with_group("dataset", config, data, INPUT_KEYS, own)
        rest = [override for override in rest if override not in data]
    if any(override.startswith("metrics=") for override in rest):
        scores = [override for override in rest if override.startswith(("metrics=", "metrics."))]
        config = _with_group("metrics", config, scores, SCORE_KEYS, own)
        rest = [override for override in rest if override not in scores]
    for override in rest:
        _check_known(override, config)
    changed = configs.override(config, rest)
    other_data = changed.dataset != stored_config.load_run(run).dataset
    for key in (override.partition("=")[0] for override in rest):
        # The run's own images have the split that is saved with it.
        if key.startswith("split.") and not other_data:
            raise _changes_nothing(key)
    return changed, split


def prediction_config(run: Path, overrides: Sequence[str]) -> Config:
    """The config of the run with other settings of how masks are made, for images that belong to no dataset.

    Raises:
        UsageError: not a run, a wrong override, or one that changes no mask.
    """
    config = stored_config.load_run(run)
    if not overrides:
        return config
    config = configs.completed(config)
    for key in (override.partition("=")[0] for override in overrides):
        if not key.startswith(MASK_KEYS):
            allowed = ", ".join(f"{name}KEY" if name.endswith(".") else name for name in MASK_KEYS)
            raise ConfigError(key=key, reason="changes no mask of a trained network", allowed=allowed)
    return configs.override(config, overrides)


def _check_known(override: str, config: Config) -> None:
    """An unknown key is compared with those of :data:`READ` alone; a known one must be one of them."""
    key, equals, _ = override.partition("=")
    read = any(key == name or (name.endswith(".") and key.startswith(name)) for name in READ)
    if read or not equals or key.startswith(("+", "~")) or key == "eval":
        return  # `override` says what is wrong with it, if anything is
    top, dot, rest = key.partition(".")
    if top == "trainer" and dot and rest not in config.plain["trainer"]:
        mine = [name.removeprefix("trainer.") for name in READ if name.startswith("trainer.")]
        raise unknown_key("trainer.", rest, mine)
    if top not in config.plain and top not in conf_files.groups():
        raise unknown_key("", key, ["split", "dataset", "metrics", *(name.rstrip(".") for name in READ)])
    raise _changes_nothing(key)


def _changes_nothing(key: str) -> ConfigError:
    return ConfigError(
        key=key,
        reason="changes no score of a trained network",
        hint="omit it; dmf eval takes split=, dataset=, metrics=, keys of predict, eval.resolution, "
        "trainer.batch_size, trainer.device, and split keys for other images",
    )


def _with_group(
    group: str, config: Config, overrides: list[str], keep: Sequence[str], own: Sequence[str]
) -> Config:
    """``config`` with the ``group`` of ``overrides``, and its own keys ``keep`` unless they say otherwise."""
    fresh, trained = configs.compose([*overrides, *own]).plain[group], config.plain[group]
    given = {override.partition("=")[0].removeprefix(f"{group}.") for override in overrides}
    kept = {k: trained[k] for k in keep if k in trained and k in fresh and k not in given}
    return config.with_group(group, {**fresh, **kept})
