"""What ``dmf train --cfg job|hydra|all`` prints: the config as YAML."""

from collections.abc import Sequence
from typing import Any

from dmf_cli.config import composer
from dmf_cli.errors import UnknownNameError


def text(overrides: Sequence[str], options: Any) -> str:
    """The config, or one package of it.

    Args:
        overrides: of the command line.
        options: Hydra's ``cfg``, ``package`` and ``resolve``.

    Raises:
        ConfigError: an override or a value is wrong, or there is no such package.
    """
    from omegaconf import Container, OmegaConf

    config = composer.compose_raw(overrides, hydra=True)
    own = [str(key) for key in config if key != "hydra"]
    composer.finish(OmegaConf.masked_copy(config, own), overrides, missing=True)  # says what is wrong
    if options.resolve:
        OmegaConf.resolve(config)
    shown: Any = config if options.cfg == "all" else OmegaConf.masked_copy(config, own)
    if options.cfg == "hydra":
        settings = {key: value for key, value in config.hydra.items_ex(resolve=False) if "help" not in key}
        shown = OmegaConf.create({"hydra": settings})
    if options.package in (None, "_global_"):
        return OmegaConf.to_yaml(shown)
    part = OmegaConf.select(shown, options.package)
    if part is None:
        raise UnknownNameError("package", options.package, [str(key) for key in shown])
    if not isinstance(part, Container):
        return f"{part}\n"
    return f"# @package {options.package}\n{OmegaConf.to_yaml(part)}"
