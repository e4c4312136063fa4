"""What a plan does not choose: what the user, a preset or the dataset has set already."""

import dataclasses
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from dmf_cli import conf_files, hints, machine
from dmf_cli.config import composer, inputs
from dmf_cli.config.typed import Config
from dmf_cli.errors import show
from dmf_cli.planning.decide import LEAST_ENCODED
from dmf_cli.planning.fingerprint import Fingerprint
from dmf_cli.planning.settings import ENCODER, NNUNET, SIZES, Limits

SHARE = 0.8  # of the memory of this machine, where the user names no limit
USUAL = {"image_size": 128, "resize": "stretch"}  # of a dataset that asks for nothing else
CHOSEN = (*(f"dataset.{key}" for key in USUAL), "model.filters", "trainer.batch_size", "trainer.epochs")


@dataclasses.dataclass(frozen=True)
class Kept:
    """What is set already.

    Args:
        typed: keys and groups.
        others: keys that a plan would choose -> value, and who has set it.
    """

    typed: frozenset[str]
    others: Mapping[str, tuple[Any, str]]

    def has(self, key: str) -> bool:
        """Whether ``key`` is set."""
        return key in self.typed or key in self.others

    @property
    def preset(self) -> bool:
        """Whether the user names a recipe or an experiment."""
        return not self.typed.isdisjoint(conf_files.PRESETS)

    @property
    def network(self) -> bool:
        """Whether the network is the user's: it, a parameter of it, or a preset that may choose it."""
        return self.preset or any(key.partition(".")[0] == "model" for key in self.typed)

    def lines(self) -> list[str]:
        """What is not typed, a line for each who has set something."""
        by: dict[str, list[str]] = {}
        for key, (value, who) in self.others.items():
            by.setdefault(who, []).append(f"{key}={value if isinstance(value, str) else show(value)}")
        return [f"kept      {' '.join(words)}, {who}; a typed key wins" for who, words in by.items()]


def of(base: Config, given: Sequence[str]) -> Kept:
    """Of the overrides ``given`` and the config ``base`` that they make.

    Raises:
        ConfigError: an override is wrong.
    """
    typed = frozenset(word.lstrip("+~").partition("=")[0] for word in given)
    why = {}
    if base.dataset.patch is not None:
        why["dataset.image_size"] = "of which dataset.patch is a part"
    for key, usual in USUAL.items():
        if getattr(base.dataset, key) != usual:
            why[f"dataset.{key}"] = f"as the dataset {base.dataset.name} sets it"
    networks = [word.lstrip("+") for word in given if word.lstrip("+").startswith("model=")]
    if networks and "filters" in base.model.params:
        why["model.filters"] = f"as {networks[-1]} sets it"
    why |= {key: f"as {who} sets it" for key, who in composer.preset_keys(given).items()}
    others = {}
    for key in CHOSEN:
        group, _, name = key.partition(".")
        if key in why and key not in typed and (value := base.plain[group].get(name)) != "auto":
            others[key] = (value, why[key])
    return Kept(typed, others)


def limits(
    base: Config, given: Sequence[str], kept: Kept, facts: Fingerprint, budget: float, memory: int | None
) -> Limits:
    """What a plan must keep to."""
    total, recipe = machine.memory(), _recipe(given, kept)
    size = inputs.as_size(base.dataset.image_size) if kept.has("dataset.image_size") else None
    patch = None if base.dataset.patch is None else min(inputs.as_size(base.dataset.patch, "dataset.patch"))
    params, epochs = base.model.params, base.trainer.epochs
    own = kept.has("model.filters") or recipe == NNUNET
    made = Limits(
        budget,
        memory if memory is not None else SHARE * total if total else None,
        recipe,
        None if size is None else size[0] if size[0] == size[1] else 0,
        0 if "filters" not in params else params["filters"] if own else None,
        base.trainer.batch_size if kept.has("trainer.batch_size") else None,
        epochs if kept.has("trainer.epochs") and isinstance(epochs, int) else None,
        patch,
        least=LEAST_ENCODED if base.model.name == ENCODER else SIZES[0],
    )
    if kept.network:
        return made
    side = patch or (min(size) if size else facts.side)
    nnunet = recipe is None and base.trainer.device != "cpu" and machine.gpus() > 0
    return dataclasses.replace(made, encoder=side >= LEAST_ENCODED and _encodes(base, facts), nnunet=nnunet)


def _recipe(given: Sequence[str], kept: Kept) -> str | None:
    """The only one that may be chosen; "": none, for what one would set is set."""
    if kept.typed.isdisjoint((*conf_files.PRESETS, "augment", "optimizer")):
        return None
    return next((word.partition("=")[2] for word in given if word.lstrip("+").startswith("recipe=")), "")


def _encodes(base: Config, facts: Fingerprint) -> bool:
    """Whether the pretrained network can be had for these images."""
    fits = facts.channels in (1, 3) and base.dataset.normalize == "unit"
    return fits and importlib.util.find_spec(hints.PRETRAINED) is not None
