"""The ``config.yaml`` of a run: read, whole, and not edited since the run began."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dmf_cli import bounded
from dmf_cli.config import checks, composer, dataset_schema, literal, schema, stored
from dmf_cli.config.typed import Config, Loss
from dmf_cli.errors import ConfigError, RunFolderError
from dmf_cli.run_folder import index, places
from dmf_cli.run_folder.config_hash import group_hashes

# What every command that reads a run relies on. Keys that came later have their defaults, see `completed`.
NEEDED = {
    "dataset": schema.needed(dataset_schema.Dataset),
    "split": schema.needed(schema.Split),
    "model": schema.needed(schema.Model),
    "loss": schema.needed(Loss),
    "auxiliary": schema.needed(schema.Auxiliary),
    "weighting": ["name"],
    "optimizer": ["name", *schema.needed(schema.Optimizer)],
    "schedule": ["name"],
    "trainer": schema.needed(schema.Trainer),
    "metrics": schema.needed(schema.Metrics),
    "eval": schema.needed(schema.Eval),
}


def load_run(path: Path | str, *, checked: bool = False) -> Config:
    """The config of the run in the folder ``path``.

    Args:
        path: the folder.
        checked: whether :func:`dmf_cli.run_folder.places.check_files` has looked at its files already.

    Raises:
        RunFolderError: ``path`` has no readable ``config.yaml``, or one that was edited or cut off, or holds
            a symbolic link.
        ConfigError: a value in it is of another kind than its key.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    file = Path(path) / "config.yaml"
    if not file.is_file():
        raise places.no_run(Path(path))
    if not checked:
        places.check_files(Path(path))
    try:
        text = bounded.read_yaml_text(file, tags=False)
        loaded = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except (OSError, YAMLError, OmegaConfBaseException, ValueError, AssertionError) as error:
        raise RunFolderError(
            path=file, reason="cannot be read", hint=" ".join(str(error).split()) or "it is no mapping"
        ) from error
    if not isinstance(loaded, dict) or not loaded:
        raise RunFolderError(path=file, reason="is empty or not a mapping", hint="the run folder is damaged")
    with _named(file):
        literal.check(loaded, resolved=True)
    config = Config({str(key): value for key, value in loaded.items()})
    if missing := lacks(text, config.plain):
        raise RunFolderError(
            path=file, reason=f"is not whole ({missing} is missing)", hint="put a copy of it back"
        )
    try:
        stored.check(config.plain)
    except ConfigError as error:
        raise error.within(str(file)) from None
    check_unedited(Path(path), config)
    return config


def load_checked(path: Path | str) -> Config:
    """As :func:`load_run`, with every value checked as those of a new run are: for whoever goes by it.

    The plugins of the run have to be known. Keys of later versions may be missing.

    Raises:
        RunFolderError: as :func:`load_run`, and for a value that no run is started with.
    """
    config = load_run(path)
    with _named(Path(path) / places.CONFIG):
        checks.validate(composer.completed(config).plain, stored=True)
    return config


@contextlib.contextmanager
def _named(file: Path) -> Iterator[None]:
    """What is wrong with a value is said with the file that it is in."""
    try:
        yield
    except ConfigError as error:
        raise RunFolderError(f"{file}: {error}", path=file) from None


def check_unedited(path: Path, config: Config) -> None:
    """Whether ``config`` of the run in ``path`` is the one that it was started with; places may differ.

    Runs of earlier versions, which have no hashes of their config, pass.

    Raises:
        RunFolderError: it was edited.
    """
    said, now = index.read(Path(path)).status.get("config"), group_hashes(config.plain)
    if not isinstance(said, Mapping):
        return
    edited = sorted(key for key in {*said, *now} if said.get(key) != now.get(key))
    if edited:
        raise RunFolderError(
            path=path / "config.yaml",
            reason="was edited",
            hint=f"{', '.join(edited)} {'is' if len(edited) == 1 else 'are'} not what the run was started "
            "with; undo that, or start another run with dmf train",
        )


def lacks(text: str, config: Mapping[str, Any]) -> str:
    """What is missing in the file ``text``, which says ``config``; empty if it is whole."""
    for group, keys in NEEDED.items():
        values = config.get(group)
        if values is None:
            return group
        if not isinstance(values, Mapping):
            return f"the keys of {group}"
        if missing := [key for key in keys if key not in values]:
            return f"{group}.{missing[0]}"
    if missing := [key for key in schema.needed(schema.Root) if key not in config]:
        return missing[0]
    return "" if text.endswith("\n") else "the end of its last line"
