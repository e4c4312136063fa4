"""Hydra's config loader with three rules of ours: what is typed beats an experiment or a recipe,
``+GROUP=OPTION`` is ``GROUP=OPTION``, and no config names code that Hydra would run.

The body of an experiment is merged after the options of all groups, whoever chose them. Without the first
rule ``experiment=quick model=unet_wide`` would build ``unet_wide`` with ``model.filters`` of the experiment,
which are meant for ``unet``. So the experiment's keys of a group whose option is typed are skipped. Recipes
are treated alike.
"""

from collections.abc import Sequence
from typing import Any

from hydra._internal import hydra as hydra_main
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, OmegaConf, open_dict

from dmf_cli import conf_files
from dmf_cli.config import code, plugin_options
from dmf_cli.errors import ConfigError

# What Hydra's documents teach and dmf does by keys of its own: Hydra's folders hold no results here.
OURS = {
    "hydra.run.dir": "run_dir",
    "hydra.sweep.dir": "output_root",
    "hydra.sweep.subdir": "run_dir",
}


EXPRESSIONS = ("loss", "auxiliary")  # of which the message about brackets is another


class Loader(ConfigLoaderImpl):
    """Used for whatever Hydra composes in this process, once :func:`install` has been called."""

    _typed: frozenset[str] = frozenset()  # groups whose option the overrides choose

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.left_out: dict[str, Any] = {}  # of presets, by the last call: dotted keys and values
        self.preset: dict[str, str] = {}  # what they set: dotted keys, and the last `PRESET=NAME` that does
        self._references = 0  # ``${...}`` in what is composed, without what dmf and Hydra bring

    def _load_configuration_impl(
        self, config_name: str | None, overrides: list[str], *args: Any, **options: Any
    ) -> DictConfig:
        words = [as_hydra(word) for word in overrides]
        plugin_options.activate(words)  # here, for workers of a launcher compose their jobs themselves
        self._typed, self.left_out, self.preset = frozenset(typed_groups(words)), {}, {}
        self._references = code.references(words)
        code.check_references(self._references)
        try:
            composed = super()._load_configuration_impl(config_name, words, *args, **options)
        except RecursionError:
            chosen = [word for word in words if word.partition("=")[0] in conf_files.groups()]
            hint = "remove the entry that names the file itself, or one that leads back to it"
            what = f"the defaults of {', '.join(chosen) or 'a file'} lead back to themselves"
            raise ConfigError(what, key="defaults", hint=hint) from None
        code.check(composed)
        return composed

    def _load_single_config(self, default: Any, repo: Any) -> Any:
        found = super()._load_single_config(default, repo)
        # Before it is merged: merging, and Hydra in what it does next, resolve some of them.
        if not _is_shipped(found.path):
            self._references += code.references(OmegaConf.to_container(found.config, resolve=False))
            code.check_references(self._references)
        group, _, option = str(default.config_path).partition("/")
        if group in conf_files.PRESETS and isinstance(found.config, DictConfig):
            self.left_out |= _leave_out(found.config, self._typed)
            body: Any = OmegaConf.to_container(found.config, resolve=False)
            self.preset |= dict.fromkeys(_leaves(body, ""), f"{group}={option}")
        return found


def _is_shipped(path: str) -> bool:
    """Whether a source of configs comes with dmf, Hydra or a plugin of Hydra's."""
    return path.startswith(("pkg://", "structured://")) or path == f"file://{conf_files.conf_dir()}"


def install() -> None:
    """Let Hydra use :class:`Loader`: it has no setting for that. Safe to call again."""
    hydra_main.ConfigLoaderImpl = Loader  # type: ignore[attr-defined]


def as_hydra(word: str) -> str:
    """An override as it is meant: Hydra's documents write ``+experiment=x`` for groups that have no default.

    Raises:
        ConfigError: it sets a folder of Hydra's, where nothing would be written, or a group to several of its
            options at once, to a mapping, or to a file elsewhere.
    """
    key, equals, value = word.lstrip("+").partition("=")
    if key in OURS and equals:
        raise ConfigError(
            f"{word} is for runs that Hydra makes, and dmf makes its own",
            key=key,
            value=value,
            hint=f"write {OURS[key]}={value}",
        )
    if key in conf_files.groups() and key not in EXPRESSIONS and (value[:1] in ("{", "[") or ".." in value):
        allowed = conf_files.options(key)
        raise ConfigError(f"{word} names no option of the group {key}", key=key, value=value, allowed=allowed)
    return f"{key}={value}" if equals and word.startswith("+") and key in conf_files.groups() else word


def typed_groups(words: Sequence[str]) -> list[str]:
    """The groups of ``GROUP=OPTION`` among ``words``, without those of :data:`conf_files.PRESETS`."""
    keys = [word.partition("=")[0] for word in words if "=" in word]
    return [group for group in conf_files.groups() if group in keys and group not in conf_files.PRESETS]


def _leave_out(body: DictConfig, groups: frozenset[str]) -> dict[str, Any]:
    """Remove the keys that an experiment sets or sweeps in ``groups``; what they were.

    Where it sweeps over the options of a group itself, its keys of that group are meant for all of them: they
    stay, for the jobs of its own sweep are words as typed ones are.
    """
    params = OmegaConf.select(body, "hydra.sweeper.params")
    swept, gone = [str(key) for key in params or ()], dict[str, Any]()
    said: Any = OmegaConf.to_container(body, resolve=False)
    with open_dict(body):
        for group in sorted(groups - set(swept)):
            if group in body:
                gone |= _leaves(said[group], f"{group}.")
                body.pop(group)
            for key in swept:
                if key.startswith(f"{group}."):
                    gone[key] = params.pop(key)
    return gone


def _leaves(node: Any, prefix: str) -> dict[str, Any]:
    if not isinstance(node, dict) or not node:
        return {prefix.rstrip("."): node}
    return {key: value for name in node for key, value in _leaves(node[name], f"{prefix}{name}.").items()}
