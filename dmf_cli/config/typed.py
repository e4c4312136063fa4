"""The config of a run as an object: ``config.trainer.epochs``, and mypy knows what that is.

It is a view of the plain mapping, which is what YAML, ids and hashes are made of. A group becomes an object
when it is first asked for, so that a run of an earlier commit is read as far as it goes.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from dmf_cli.config import schema
from dmf_cli.config.types import unknown_key
from dmf_cli.errors import ConfigError, UnknownNameError

Kind = TypeVar("Kind")


@dataclasses.dataclass(frozen=True)
class Choice:
    """A loss, a strategy or a network: a name, and the parameters of the function behind it."""

    name: str
    params: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Model(Choice):
    """``model``: the network, its head, and what it starts from."""

    head: str
    weights: str | None


@dataclasses.dataclass(frozen=True)
class Loss:
    """``loss``: its terms with their parameters and coefficients."""

    expression: str
    terms: Mapping[str, Mapping[str, Any]]
    coefficients: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Config:
    """A composed and validated config.

    Args:
        plain: what :func:`dmf_cli.config.compose` or the ``config.yaml`` of a run gives.

    Example:
        >>> Config({"seed": 3}).seed
        3
    """

    plain: Mapping[str, Any]

    def changed(self, group: str, **values: Any) -> "Config":
        """A copy with other values for keys of ``group``."""
        return Config({**self.plain, group: {**self.plain[group], **values}})

    @property
    def seed(self) -> int:
        """Of weights, order of the samples and augmentation."""
        return cast(int, self.plain["seed"])

    @property
    def run_dir(self) -> str | None:
        """The folder of the run, if the user named it."""
        return cast("str | None", self.plain["run_dir"])

    @property
    def output_root(self) -> str:
        """Where run folders are made."""
        return cast(str, self.plain["output_root"])

    @property
    def report(self) -> bool:
        """Whether the run ends with a report; runs of version 0.1 have no such key."""
        return cast(bool, self.plain.get("report", True))

    @functools.cached_property
    def dataset(self) -> schema.Dataset:
        """What every dataset has; ``plain["dataset"]`` has the keys of its kind."""
        keys = {field.name for field in dataclasses.fields(schema.Dataset)}
        return _made(schema.Dataset, {k: v for k, v in self.plain["dataset"].items() if k in keys}, "dataset")

    @functools.cached_property
    def trainer(self) -> schema.Trainer:
        """The loop."""
        return _made(schema.Trainer, self.plain["trainer"], "trainer")

    @property
    def epochs(self) -> int:
        """``trainer.epochs`` of a run, for which ``auto`` has become a number."""
        epochs = self.trainer.epochs
        if epochs == "auto":
            raise ConfigError("trainer.epochs is auto: it is a number once the training images are counted")
        return epochs

    @functools.cached_property
    def model(self) -> Model:
        """The network."""
        group = self.plain["model"]
        params = _without(group, "name", "head", "weights")
        return Model(group["name"], params, group.get("head", "softmax"), group.get("weights"))

    @functools.cached_property
    def loss(self) -> Loss:
        """The fused loss."""
        return _made(Loss, self.plain["loss"], "loss")

    @functools.cached_property
    def weighting(self) -> Choice:
        """The strategy."""
        return Choice(self.plain["weighting"]["name"], _without(self.plain["weighting"], "name"))

    @functools.cached_property
    def auxiliary(self) -> schema.Auxiliary:
        """The auxiliary loss; its name is ``none`` where there is none."""
        return _made(schema.Auxiliary, self.plain["auxiliary"], "auxiliary")

    @functools.cached_property
    def optimizer(self) -> schema.Optimizer:
        """Of the class that its name says."""
        return cast(schema.Optimizer, _named("optimizer", self.plain["optimizer"]))

    @functools.cached_property
    def schedule(self) -> schema.Option:
        """Of the class that its name says."""
        return _named("schedule", self.plain["schedule"])

    @functools.cached_property
    def metrics(self) -> schema.Metrics:
        """Of the class that its name says."""
        return cast(schema.Metrics, _named("metrics", self.plain["metrics"]))

    @functools.cached_property
    def tracker(self) -> schema.Option:
        """Of the class that its name says; runs of an earlier version have none."""
        return _named("tracker", self.plain.get("tracker", {"name": "none"}))


def _named(group: str, values: Mapping[str, Any]) -> schema.Option:
    kinds, name = schema.NAMED[group], values.get("name", "default")
    if name not in kinds:
        raise UnknownNameError(f"{group}.name", str(name), kinds)
    return _made(kinds[name], _without(values, "name"), group)


def _made(kind: type[Kind], values: Mapping[str, Any], group: str) -> Kind:
    """``values`` as they were given, in an object; a run of an earlier commit may lack a key."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    names = [field.name for field in fields]
    if more := [name for name in values if name not in names]:
        raise unknown_key(f"{group}.", more[0], names)
    needed = [field.name for field in fields if field.default is dataclasses.MISSING]
    if missing := [name for name in needed if name not in values]:
        raise ConfigError(f"{group}.{missing[0]} is missing: give {group}.{missing[0]}=VALUE")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in names}
