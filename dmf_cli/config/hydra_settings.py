"""Hydra's own settings that do nothing where dmf runs a job and not Hydra: they are refused, not ignored."""

from collections.abc import Iterable
from typing import Any

from dmf_cli.errors import ConfigError

_NO_LOGGING = {"version": 1, "root": None, "disable_existing_loggers": False}
# Key below `hydra` -> what it is unless set, and what to use instead.
UNUSED: dict[str, tuple[Any, str]] = {
    "job.chdir": (None, "a run stays in the folder of the command, and writes to run_dir or output_root"),
    "job.env_set": ({}, "set variables before the command, as NAME=VALUE dmf train"),
    "callbacks": ({}, "use tracker=tensorboard or tracker=mlflow, or read the files of the run folder"),
    "output_subdir": (None, "the run folder has config.yaml"),
    "verbose": (False, "the run folder has train.log; DMF_DEBUG=1 prints tracebacks"),
    "mode": ("RUN", "add -m for a sweep"),
    "job_logging": (_NO_LOGGING, "the run folder has train.log"),
    "hydra_logging": (_NO_LOGGING, "the run folder has train.log"),
}
# Those that would run code of the config where Hydra itself runs the job: refused there too.
RUN_CODE = ("callbacks", "job.env_set", "job_logging", "hydra_logging")


def detached(config: Any) -> Any:
    """Take the node ``hydra`` out of a composed ``config``, and return it."""
    from omegaconf import open_dict

    with open_dict(config):
        return config.pop("hydra")


def check(settings: Any, *, multirun: bool = False, keys: Iterable[str] = tuple(UNUSED)) -> None:
    """Refuse what only a job under Hydra would heed.

    Args:
        settings: the node ``hydra`` of a composed config.
        multirun: whether it is that of a sweep.
        keys: which of them to look at.

    Raises:
        ConfigError: one of :data:`UNUSED` is set.
    """
    from omegaconf import OmegaConf

    for key in keys:
        unset, instead = UNUSED[key]
        value = OmegaConf.select(settings, key)
        value = getattr(value, "name", value)
        if value not in (unset, None) and not (multirun and key == "mode"):
            raise ConfigError(
                f"hydra.{key}={value} does nothing for dmf", key=f"hydra.{key}", value=value, hint=instead
            )
