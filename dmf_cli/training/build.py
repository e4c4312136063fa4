"""From config groups to Keras objects: network, losses, weighting, auxiliary loss, optimizer, schedule."""

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from dmf_cli import losses, weighting
from dmf_cli.config import plugin_options, schema
from dmf_cli.config.checks import check_params
from dmf_cli.config.typed import Choice, Config, Model
from dmf_cli.datasets.base import Dataset
from dmf_cli.datasets.input.run_data import Data
from dmf_cli.errors import ConfigError
from dmf_cli.fusion import Auxiliary, FusedModel
from dmf_cli.fusion.arguments import resolve_loss
from dmf_cli.fusion.dead_loss import check_alive
from dmf_cli.metrics.streaming import ForegroundDice, MeanDice
from dmf_cli.models import _encoders
from dmf_cli.ops.backend import all_replicas
from dmf_cli.parts import definitions, failures, plugins, registry
from dmf_cli.parts.definitions import Definition
from dmf_cli.run_folder import headline
from dmf_cli.training import encoder_rate
from dmf_cli.training.best_epoch import BETTER, CLEARLY_BETTER, Standing
from dmf_cli.training.own_network import check_network, know_layers

LEAST_EPOCHS, LEAST_STEPS = 18, 600  # of trainer.epochs=auto


def fused_model(config: Config, data: Data, steps_per_epoch: int, *, restored: bool = False) -> FusedModel:
    """The network of ``config`` with its fused loss, not yet compiled.

    ``restored``: all values come from a checkpoint, so that none are loaded into a pretrained encoder.
    """
    total_steps = steps_per_epoch * config.epochs
    terms, helper = loss_terms(config.loss.terms), auxiliary(config.auxiliary)
    try:
        check_alive({**terms, **({"auxiliary": resolve_loss(helper.loss)} if helper else {})}, data.probe())
    except ConfigError as error:
        places = {f"loss term {name!r}": part.place for name in terms if (part := plugin_options.term(name))}
        raise error.within(places[error.key]) if error.key in places else error from None
    prior = [config.loss.coefficients[name] for name in config.loss.terms]
    known = {"steps_per_epoch": steps_per_epoch, "seed": config.seed}
    with _encoders.without_values() if restored else contextlib.nullcontext():
        made = network(config.model, data)
    weights = strategy(config.weighting, prior, total_steps, known)
    try:
        return FusedModel(
            made,
            terms,
            weights,
            helper,
            scales=config.trainer.deep_supervision,
            record_steps=steps_per_epoch,
            insight_every=config.trainer.insight_every,
            check=False,  # the datasets are checked where they are read
        )
    except ConfigError as error:
        if error.key != "scales":
            raise
        said = {name: getattr(error, name) for name in ("value", "reason", "allowed", "hint")}
        raise ConfigError(key="trainer.deep_supervision", **said) from None


def with_epochs(config: Config, steps_per_epoch: int) -> Config:
    """``config`` with the number of epochs that ``trainer.epochs=auto`` stands for.

    A small dataset gets more epochs: with 18 of them it would make few steps, and what a network has
    learned depends on the steps.
    """
    if config.trainer.epochs != "auto":
        return config
    return config.changed("trainer", epochs=max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / steps_per_epoch)))


def with_warmup(config: Config, total_steps: int) -> Config:
    """``config`` with the warm-up that ``weighting.warmup=auto`` stands for in a run of so many steps."""
    if config.weighting.params.get("warmup") != "auto":
        return config
    return config.changed("weighting", warmup=automatic_warmup(total_steps))


def with_monitor(config: Config, dataset: Dataset) -> Config:
    """``config`` with the figure that ``trainer.monitor=auto`` stands for.

    Raises:
        ConfigError: the mean over classes is wanted of a dataset with one class.
    """
    monitor, classes = config.trainer.monitor, len(dataset.classes)
    if monitor == headline.MONITORS[headline.MEAN] and classes == 2:
        raise ConfigError(
            key="trainer.monitor",
            value=monitor,
            reason=f"and {dataset.name} has one class beside the background",
            hint="use trainer.monitor=val_foreground_dice, or auto",
        )
    return config.changed("trainer", monitor=headline.monitor(classes)) if monitor == "auto" else config


def compile_model(
    model: FusedModel,
    config: Config,
    total_steps: int,
    jit: bool,
    classes: int = 2,
    first_step: int = 0,
    frozen_steps: int | None = None,
) -> tuple[ForegroundDice, MeanDice | None]:
    """Optimizer, schedule and validation metrics; the optimizer's variables exist afterwards.

    Args:
        model: not yet compiled.
        config: the whole config.
        total_steps: of the run; what the schedule is over.
        jit: compile the step with XLA.
        classes: of the dataset, background included; with several above 0 their mean Dice is a metric too.
        first_step: of the optimizer with which the schedule begins.
        frozen_steps: of the encoder; None: the share ``optimizer.frozen`` of all steps.

    Returns:
        The metrics: of the foreground, and of several classes, which knows which of them was never predicted;
        None for one class.
    """
    schedule = learning_rate(config.schedule, config.optimizer.learning_rate, total_steps)
    if first_step and callable(schedule):
        schedule = Later(schedule, first_step)
    threshold = 0.5 if config.metrics.threshold == "auto" else config.metrics.threshold
    union = ForegroundDice(threshold, config.metrics.empty)
    mean = MeanDice(classes, config.metrics.empty) if classes > 2 else None
    if frozen_steps is None:
        frozen_steps = round(config.optimizer.frozen * total_steps)
    kind, params = optimizer(config.optimizer, schedule)
    steps = encoder_rate.slowed(kind, params, model, config.optimizer, frozen_steps)
    if config.trainer.precision == "mixed_float16":
        steps = Scaling(steps)
    elif config.trainer.on_nonfinite == "skip":
        steps = Skipping(steps)
    model.compile(steps, metrics=[union, *([mean] if mean else [])], jit_compile=jit)
    model.optimizer.build(model.trainable_variables)
    return union, mean


def network(model: Model, data: Data) -> keras.Model:
    """The architecture ``model.name`` for the images and classes of ``data``."""
    function = registry.find("model", model.name)
    check_params(function, model.params, "model")
    made = function(data.shape, data.channels, **model.params)
    if plugins.of_part(part := registry.definition("model", model.name)):
        check_network(made, part, data.shape, data.channels)
        know_layers(made)
    return made


def loss_terms(terms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Name -> loss, each with its parameters fixed."""
    return {name: loss(name, params, f"loss.terms.{name}") for name, params in terms.items()}


def loss(name: str, params: Mapping[str, Any], where: str) -> Any:
    """One loss with its parameters checked against its signature."""
    check_params(registry.find("loss", name), params, where)
    return losses.get(name, **params)


def strategy(
    chosen: Choice, prior: Sequence[float], total_steps: int, known: Mapping[str, Any] | None = None
) -> weighting.Strategy:
    """The weighting strategy; its warm-up must leave steps in which it can act.

    Parameters that are null or auto take the value of that name in ``known``, where there is one.
    """
    function, params = registry.find("strategy", chosen.name), dict(chosen.params)
    part = registry.definition("strategy", chosen.name)
    own = plugins.of_part(part) is not None
    if own and not issubclass(function, weighting.Strategy):
        raise definitions.wrong(part, "is no strategy", "a subclass of dmf_cli.weighting.Strategy")
    for name, value in (known or {}).items():
        if name in params and params[name] in (None, "auto"):
            params[name] = value
    if function.adaptive:
        params["warmup"] = warmup(params["warmup"], total_steps)
    check_params(function, {**params, "prior": prior}, "weighting")
    found = weighting.get(chosen.name, prior=prior, **params)
    if own:
        _try(found, part, len(prior))
    if found.idle_steps >= total_steps:
        raise ConfigError(
            f"the run has {total_steps} steps and weighting {found.name} keeps its first weights for "
            f"{found.idle_steps}",
            key="weighting",
            value=found.name,
            hint="they would never adapt; raise trainer.epochs, lower weighting.warmup or weighting.every, "
            "or use weighting=fixed",
        )
    return found


def _try(strategy: weighting.Strategy, part: Definition, n_terms: int) -> None:
    """A strategy of the user's before hours are spent on it."""
    try:
        wrong = weighting.fault(strategy, n_terms)
    except Exception as error:  # whatever its code does
        raise failures.failed(part, error) from error
    if wrong:
        raise definitions.wrong(
            part, f"does not weigh: {wrong}", "(memory, weights >= 0 of shape (n_terms,))"
        )


def warmup(wanted: int | str, total_steps: int) -> int:
    """``auto`` is min(50, a fifth of the steps); a run that ends inside its warm-up is an error."""
    steps = automatic_warmup(total_steps) if wanted == "auto" else wanted
    if not isinstance(steps, int) or isinstance(steps, bool):
        raise ConfigError(key="weighting.warmup", value=wanted, allowed="a number of steps, or auto")
    if steps >= total_steps:
        other = "weighting=fixed" if wanted == "auto" else "weighting.warmup=auto or weighting=fixed"
        raise ConfigError(
            f"the run has {total_steps} step(s) and weighting.warmup is {steps}",
            key="weighting.warmup",
            value=steps,
            hint="the weights would never adapt; raise trainer.epochs, lower trainer.batch_size, or use "
            + other,
        )
    return steps


def automatic_warmup(total_steps: int) -> int:
    """What ``weighting.warmup=auto`` stands for in a run of so many steps."""
    return max(1, min(50, total_steps // 5))


def auxiliary(group: schema.Auxiliary) -> Auxiliary | None:
    """The fading auxiliary loss, or None."""
    if group.name == "none":
        return None
    function = loss(group.name, group.params, "auxiliary.params")
    return Auxiliary(function, group.gamma0, group.decay, group.every)


def optimizer(chosen: schema.Optimizer, learning_rate: Any) -> tuple[type, dict[str, Any]]:
    """Class and parameters of the ``optimizer`` group; ``clipnorm`` is that of the whole gradient."""
    params = {**dataclasses.asdict(chosen), "learning_rate": learning_rate}
    params["global_clipnorm"] = params.pop("clipnorm")
    if ema := params.pop("ema"):
        params |= {"use_ema": True, "ema_momentum": ema}
    if isinstance(chosen, schema.SGD) and not chosen.weight_decay:
        params.pop("weight_decay")  # Keras would multiply by 1 in every step
    for key in ("encoder_rate", "frozen"):
        params.pop(key)
    return getattr(keras.optimizers, type(chosen).__name__), params


class Later(keras.optimizers.schedules.LearningRateSchedule):
    """``schedule`` that begins with step ``first``: of a run that continues under a new schedule."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, first: int) -> None:
        self.schedule, self.first = schedule, first

    def __call__(self, step: Any) -> Any:
        """The rate at ``step`` of the optimizer."""
        return self.schedule(keras.ops.maximum(step - self.first, 0))

    def get_config(self) -> dict[str, Any]:
        """Part of the interface of Keras."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "first": self.first}


class Scaling(keras.optimizers.LossScaleOptimizer):
    """``inner`` with the loss scaling of float16; a gradient of any replica that overflows skips the step."""

    def check_finite(self, grads: Any) -> Any:
        """As in Keras, where the first replica decides for all, and the gradients are not yet added."""
        return all_replicas(super().check_finite(grads))


class Skipping(Scaling):
    """``inner`` that skips steps with a NaN or infinite gradient, and does nothing else.

    Keras skips them in its loss scaling on every backend (and does so under mixed_float16 already). Here the
    scale is and stays 1: Keras halves it at each skipped step, so that after 150 of them nothing but zeros
    and NaN would be left of any gradient.
    """

    def __init__(self, inner: keras.optimizers.Optimizer) -> None:
        super().__init__(inner, initial_scale=1.0, dynamic_growth_steps=2**31 - 1)

    def _stateful_handle_non_finite_grads(self) -> None:
        self.step_counter.assign(0)

    def _stateless_handle_non_finite_grads(self, optimizer_variables: Any, trainable_variables: Any) -> Any:
        return trainable_variables, list(optimizer_variables)


def learning_rate(schedule: schema.Option, peak: float, total_steps: int) -> Any:
    """A number, or a Keras schedule over the steps of the run."""
    if isinstance(schedule, schema.Poly):
        return keras.optimizers.schedules.PolynomialDecay(
            peak, total_steps, end_learning_rate=0.0, power=schedule.exponent
        )
    if not isinstance(schedule, schema.Warmup | schema.Cosine):
        return float(peak)  # Keras takes no whole number
    warm = round(schedule.warmup * total_steps)
    # CosineDecay with alpha=1 stays at its peak after the warm-up: Keras has no schedule for that alone.
    alpha = schedule.final if isinstance(schedule, schema.Cosine) else 1.0
    start = {"initial_learning_rate": 0.0, "warmup_target": peak} if warm else {"initial_learning_rate": peak}
    return keras.optimizers.schedules.CosineDecay(
        decay_steps=max(1, total_steps - warm), alpha=alpha, warmup_steps=warm, **start
    )


def callbacks(config: Config) -> list[keras.callbacks.Callback]:
    """The standing of each epoch, then early stopping and plateau schedule when the config asks for them.

    Both wait for improvements as the best epoch is chosen, so that they can go by an undefined monitor.
    """
    found: list[keras.callbacks.Callback] = [Standing(config.trainer.monitor)]
    counted: dict[str, Any] = {"mode": "max", "min_delta": 0.0}
    if config.trainer.patience is not None:
        patience = config.trainer.patience
        found.append(keras.callbacks.EarlyStopping(monitor=BETTER, patience=patience, **counted))
    if isinstance(config.schedule, schema.Plateau):
        params = dataclasses.asdict(config.schedule)
        found.append(keras.callbacks.ReduceLROnPlateau(monitor=CLEARLY_BETTER, **counted, **params))
    return found
