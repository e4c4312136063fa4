"""The config of a run as an object: ``config.trainer.epochs``, and mypy knows what that is.

It is a view of the plain mapping, which is what YAML, ids and hashes are made of. A group becomes an object
when it is first asked for, so that a run of an earlier commit is read as far as it goes.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from dmf_cli.config import dataset_schema, inputs, schema
from dmf_cli.config.types import missing_key, unknown_key
from dmf_cli.errors import ConfigError, UnknownNameError

Kind = TypeVar("Kind")


@dataclasses.dataclass(frozen=True)
class Choice:
    """A loss, a strategy, a network or an augmentation: a name, and the parameters of its function."""

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
    """A composed and validated config, see :func:`dmf_cli.config.compose`, or the config of a run.

    Args:
        plain: the same as a mapping, for YAML, ids and hashes.

    Example:
        >>> Config({"seed": 3}).seed
        3
    """

    plain: Mapping[str, Any]

    def changed(self, group: str, **values: Any) -> "Config":
        """A copy with other values for keys of ``group``."""
        return Config({**self.plain, group: {**self.plain[group], **values}})

    def with_root(self, **values: Any) -> "Config":
        """A copy with other values for keys beside the groups."""
        return Config({**self.plain, **values})

    def with_group(self, group: str, values: Mapping[str, Any]) -> "Config":
        """A copy with other keys in ``group``."""
        return Config({**self.plain, group: dict(values)})

    @functools.cached_property
    def root(self) -> schema.Root:
        """The keys beside the groups."""
        return _made(schema.Root, _only(_names(schema.Root), self.plain), "")

    @property
    def seed(self) -> int:
        """Of weights, order of the samples and augmentation."""
        return self.root.seed

    @property
    def run_dir(self) -> str | None:
        """The folder of the run, if the user named it."""
        return self.root.run_dir

    @property
    def output_root(self) -> str:
        """Where run folders are made."""
        return self.root.output_root

    @property
    def report(self) -> bool:
        """Whether the run ends with a report."""
        return self.root.report

    @property
    def plugins(self) -> Mapping[str, Mapping[str, str]]:
        """Name -> ``path`` and ``hash`` of the plugins whose parts it uses."""
        return self.plain.get("plugins") or {}

    @functools.cached_property
    def dataset(self) -> dataset_schema.Dataset:
        """Of the class that its kind says."""
        return dataset(self.plain["dataset"])

    @functools.cached_property
    def split(self) -> schema.Split:
        """Which images train, validate and test."""
        return _made(schema.Split, self.plain["split"], "split")

    @functools.cached_property
    def augment(self) -> Choice:
        """The augmentation; its name is ``none`` where there is none."""
        return Choice(self.plain["augment"]["name"], _without(self.plain["augment"], "name"))

    @functools.cached_property
    def eval(self) -> schema.Eval:
        """At which resolution predictions are scored."""
        return _made(schema.Eval, self.plain["eval"], "eval")

    @functools.cached_property
    def predict(self) -> schema.Predict:
        """How probabilities become a mask; runs of an earlier version have a plain threshold."""
        return _made(schema.Predict, self.plain.get("predict", {}), "predict")

    @functools.cached_property
    def sweep(self) -> schema.Sweep:
        """How the jobs of a sweep run."""
        return _made(schema.Sweep, self.plain["sweep"], "sweep")

    @functools.cached_property
    def trainer(self) -> schema.Trainer:
        """The loop."""
        return _made(schema.Trainer, self.plain["trainer"], "trainer")

    @property
    def epochs(self) -> int:
        """``trainer.epochs`` of a run, for which ``auto`` has become a number."""
        epochs = self.trainer.epochs
        if epochs == "auto":
            raise ConfigError(
                key="trainer.epochs", value=epochs, hint="it is a number once the training images are counted"
            )
        return epochs

    @functools.cached_property
    def model(self) -> Model:
        """The network."""
        group, names = self.plain["model"], _names(schema.Model)
        own = _made(schema.Model, _only(names, group), "model")
        return Model(own.name, _without(group, *names), own.head, own.weights)

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


def dataset(values: Mapping[str, Any]) -> dataset_schema.Dataset:
    """The ``dataset`` group ``values``, with its lists as they are: what is hashed holds them.

    Raises:
        ConfigError: an unknown kind, or a key that it does not have or needs.
    """
    name = values.get("kind")
    if not isinstance(name, str) or name not in dataset_schema.DATASETS:
        raise UnknownNameError("dataset.kind", name, dataset_schema.DATASETS)
    kind = dataset_schema.of_kind(name, "download" in values)
    if kind is dataset_schema.Phantom:  # one of the user may have more keys, which say nothing
        values = _only(_names(kind), values)
    if kind is dataset_schema.Own:
        values = {**(own := inputs.shared(values)), "params": _without(values, *own)}
    _check_keys(kind, values, "dataset")
    return cast(dataset_schema.Dataset, kind(**values))


def _named(group: str, values: Mapping[str, Any]) -> schema.Option:
    kinds, name = schema.NAMED[group], values.get("name", "default")
    if name not in kinds:
        raise UnknownNameError(f"{group}.name", str(name), kinds)
    return _made(kinds[name], _without(values, "name"), group)


def _made(kind: type[Kind], values: Mapping[str, Any], group: str) -> Kind:
    """``values`` as they were given, in an object; a run of an earlier commit may lack a key."""
    _check_keys(kind, values, group)
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def _check_keys(kind: type, values: Mapping[str, Any], group: str) -> None:
    names = _names(kind)
    prefix = f"{group}." if group else ""
    if more := [name for name in values if name not in names]:
        raise unknown_key(prefix, more[0], names)
    if missing := [name for name in schema.needed(kind) if name not in values]:
        raise missing_key(f"{prefix}{missing[0]}")


def _names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _only(names: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in names}


def _without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in names}
