"""Several losses fused into one training objective, inside the compiled graph.

    L = sum_i w_i L_i + gamma(k) L_aux,    gamma(k) = gamma0 exp(-decay floor(k / every))

The weights come from a :mod:`dmf_cli.weighting` strategy whose state lives in non-trainable variables
of the model, so that it is updated on the device, saved with the weights and restored on resume.
(Golnari & Diba, Biomed. Signal Process. Control 111 (2026) 108388.)
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from dmf_cli import losses, weighting
from dmf_cli.errors import ConfigError
from dmf_cli.fusion.auxiliary import Auxiliary as Auxiliary
from dmf_cli.fusion.first_batch import (
    NO_WEIGHTS,
    SEVERAL,
    check_batch,
    check_labels,
    first_batch,
    steps_of_epoch,
)
from dmf_cli.fusion.logit_gradients import term_statistics
from dmf_cli.fusion.progress_bar import FusedProgress
from dmf_cli.fusion.terms import (
    Loss,
    Tensor,
    is_ours,
    labels,
    needs,
    resolve_loss,
    resolve_strategy,
    resolve_terms,
    term_value,
    valid,
)
from dmf_cli.fusion.tracking import GradientRecorder, StepRecorder, TermMeans
from dmf_cli.losses._common import as_float32
from dmf_cli.ops import void
from dmf_cli.ops.backend import replica_mean, replicas, to_numpy
from dmf_cli.weighting import check_terms


def fuse(
    model: keras.Model,
    terms: str | Sequence[str] | Mapping[str, str | Loss],
    weighting: "str | weighting.Strategy" = "var",
    auxiliary: Auxiliary | None = None,
) -> "FusedModel":
    """``model`` with a fused loss: ``fuse(unet, ["cbdice", "bce"], "var")``, then compile and fit.

    Args:
        model: a Keras model whose single output is probabilities ``(batch, *spatial, classes)``.
        terms: names from :mod:`dmf_cli.losses` (``["dice", "bce"]``), an expression of them as in
            ``dmf train`` (``"dice+bce"``, ``"dice:0.7+ce:0.3"``), or a mapping of any name to such a name or
            to a function ``(y_true, y_pred) -> scalar``.
        weighting: a strategy, or any name of ``dmf list weightings``. The coefficients of an expression
            multiply its weights; ``"fixed"`` takes them as they are.
        auxiliary: the fading auxiliary loss, or None.

    Returns:
        A model to compile with an optimizer only; ``fit`` logs ``loss``, ``loss.TERM``, ``weight.TERM``,
        ``share.TERM`` (w_i L_i), ``objective`` (the sum with the coefficients as fixed weights), ``raw_sum``
        (of the weights before they are rescaled to ``total``), ``gamma`` and ``aux`` per epoch, and prints
        the loss, the weights and your metrics. In validation (``val_loss``, which Keras's callbacks watch)
        and in ``evaluate``, ``loss`` is the objective: it moves neither with the weights nor with the
        fading auxiliary loss.

        Before the first step ``fit`` looks at the labels and at what the network makes of two images:
        masks of 0 and 255, integer labels, logits and weights of samples or classes are an error.

    Example:
        >>> net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
        >>> fuse(net, ["dice", "bce"], "fixed").terms
        ('dice', 'bce')
    """
    return FusedModel(model, terms, weighting, auxiliary)


@keras.saving.register_keras_serializable(package="dmf")
class FusedModel(keras.Model):
    """A network trained with several losses; see :func:`fuse`.

    Args:
        network: the model that maps images to probabilities; it is what you deploy.
        terms: see :func:`fuse`.
        weighting: see :func:`fuse`.
        auxiliary: see :func:`fuse`.
        record_steps: steps of an epoch whose per-step values are kept (see :attr:`recorder`); 0 keeps none.
        insight_every: every so many of these steps the norms of the terms' gradients at the logits and the
            cosines between them are kept too (see :attr:`insight`); 0 never.
        check: whether ``fit`` looks at labels and predictions first; only where a loss of this package is a
            term, for functions of your own may want other labels.

    Under ``tf.distribute.MirroredStrategy`` (with Keras from 3.10 on) the loss is scaled by 1 / replicas
    and the weighting sees the mean of each loss over the replicas. That is what one device does with the
    whole batch for losses that are means over pixels or samples; a loss pooled over the batch
    (``pool="batch"``, ``cbdice``, ``gdice``) is the mean of the ratios of the replicas' parts instead. Give
    batch normalisation ``synchronized=True`` there. JAX's ``keras.distribution`` computes on the whole
    batch in every case.
    """

    def __init__(
        self,
        network: keras.Model,
        terms: str | Sequence[str] | Mapping[str, str | Loss],
        weighting: "str | weighting.Strategy" = "var",
        auxiliary: Auxiliary | None = None,
        *,
        record_steps: int = 0,
        insight_every: int = 0,
        check: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.network = network
        if len(getattr(network, "outputs", None) or [None]) > 1:
            raise ConfigError(
                f"the network has {len(network.outputs)} outputs: give one that ends in the probabilities, "
                "keras.Model(network.inputs, network.outputs[0])"
            )
        self._terms, coefficients = resolve_terms(terms)
        self.strategy = resolve_strategy(weighting, coefficients)
        self._steps_are_known = weighting != "dwa"
        self.check = check
        check_terms(self.strategy, self._terms)
        if not isinstance(auxiliary, Auxiliary | None):
            raise ConfigError(f"auxiliary is {auxiliary!r}: give dmf_cli.Auxiliary(loss, ...) or None")
        self.auxiliary = auxiliary
        self._auxiliary_loss = resolve_loss(auxiliary.loss) if auxiliary else None
        self._memory = self._add_memory()
        self._means = TermMeans(self.terms, auxiliary is not None)
        self.recorder = StepRecorder(self.terms, record_steps) if record_steps else None
        if insight_every < 0 or (insight_every and not record_steps):
            raise ConfigError(
                f"insight_every is {insight_every} and record_steps {record_steps}: give whole numbers of "
                "steps; insight is recorded among the recorded steps"
            )
        self.insight_every = insight_every
        rows = -(-record_steps // insight_every) if insight_every else 0
        self.insight = GradientRecorder(self.terms, rows) if rows else None
        # Everything has its variables already: weights can be saved and loaded before the first batch.
        self.built = network.built

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses, in the order of the weights."""
        return tuple(self._terms)

    @property
    def needs(self) -> tuple[str, ...]:
        """What the losses take of ``y`` beside the labels when it is ``{"labels": ..., NAME: ...}``."""
        every = [*self._terms.values(), *([self._auxiliary_loss] if self._auxiliary_loss else [])]
        return tuple(sorted({name for loss in every for name in needs(loss)}))

    @property
    def memory(self) -> dict[str, Any]:
        """The strategy's state as NumPy arrays: ``weights``, ``step``, ``skipped``, ..."""
        return {name: to_numpy(variable) for name, variable in self._memory.items()}

    def _add_memory(self) -> dict[str, keras.Variable]:
        """One non-trainable variable an entry of the strategy's state."""
        state = self.strategy.init(len(self._terms))
        return {name: self._add_state(name, value) for name, value in state.items()}

    def _add_state(self, name: str, value: Tensor) -> keras.Variable:
        dtype = keras.backend.standardize_dtype(value.dtype)
        # Floats are averaged over replicas; counts are the same on each, and a mean of integers is refused.
        aggregation = "mean" if dtype == "float32" else "only_first_replica"
        variable = self.add_weight(
            shape=tuple(value.shape),
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation=aggregation,
            name=f"memory_{name}",
        )
        # Two entries may share one array of JAX, which a compiled step could not take over twice.
        variable.assign(ops.copy(value))
        return variable

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Probabilities of the network."""
        return self.network(inputs, training=training)

    def fit(self, x: Any = None, y: Any = None, *rest: Any, **options: Any) -> Any:
        """Like that of Keras, after a look at the data; see :func:`fuse`.

        Raises:
            ConfigError: what the losses cannot be computed from.
        """
        for name in ("class_weight", "sample_weight"):
            if options.get(name) is not None:
                raise ConfigError(NO_WEIGHTS.format(name=name))
        if not self._steps_are_known:
            steps = steps_of_epoch(x, {**({"batch_size": rest[0]} if rest else {}), **options})
            config = {**self.strategy.get_config(), "steps_per_epoch": steps}
            self.strategy, self._steps_are_known = type(self.strategy)(**config), True
        if self.check:
            x = self._checked(x, y, options.get("validation_data"))
        verbose = options.get("verbose", rest[2] if len(rest) > 2 else "auto")
        if verbose and len(rest) < 4:
            options["callbacks"] = self._with_progress(options.get("callbacks"))
        return super().fit(x, y, *rest, **options)

    def _checked(self, x: Any, y: Any, validation: Any) -> Any:
        """``x``, once the labels and what the network makes of two images are what our losses take."""
        every = [*self._terms.values(), *([self._auxiliary_loss] if self._auxiliary_loss else [])]
        if not any(map(is_ours, every)):
            return x
        x, batch = first_batch(x, y)
        check_batch(batch, self.network)
        if isinstance(validation, tuple | list) and len(validation) == 2:
            check_labels(validation[1], self.network(first_batch(*validation)[1][0]))
        elif validation is not None and not isinstance(validation, tuple | list | Iterator):
            check_batch(first_batch(validation, None)[1], self.network)
        return x

    def _with_progress(self, callbacks: Any) -> Any:
        """``callbacks`` with a progress bar that leaves out most of the logs, unless there is one."""
        callbacks = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else callbacks
        if isinstance(callbacks, keras.callbacks.CallbackList):
            return callbacks
        found = list(callbacks or [])
        if any(isinstance(one, keras.callbacks.ProgbarLogger) for one in found):
            return found
        columns = self._means.columns
        hidden = [name for name in columns if not name.startswith("weight.")]
        return [*found, FusedProgress([*hidden, *(f"val_{name}" for name in columns)])]

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """The fused objective (a scalar); while training it also advances the strategy's memory."""
        if sample_weight is not None:
            raise ConfigError(NO_WEIGHTS.format(name="sample_weight"))
        if isinstance(y_pred, Mapping | list | tuple):
            raise ConfigError(SEVERAL.format(count=len(y_pred)))
        if training and not self._steps_are_known:
            raise ConfigError(
                'weighting "dwa" compares the means of whole epochs: use fit, or give '
                'weighting.get("dwa", steps_per_epoch=...)'
            )
        if self._compile_loss is not None:
            raise ConfigError("compile(loss=...) would be ignored by a fused model: give an optimizer only")
        y_pred = as_float32(y_pred)
        raw = ops.stack([term_value(name, loss, y, y_pred) for name, loss in self._terms.items()])
        step = _read(self._memory["step"])
        weights = self._advance(step, raw, y, y_pred) if training else _read(self._memory["weights"])
        # Keras's callbacks watch val_loss: there it must be the same sum in every epoch.
        used = weights if training else self._objective_weights()
        total, gamma, aux = ops.sum(used * raw), ops.zeros(()), ops.zeros(())
        if self.auxiliary is not None and self._auxiliary_loss is not None:
            gamma = self.auxiliary.gamma(step)
            aux = term_value("auxiliary", self._auxiliary_loss, y, y_pred)
            total = total + gamma * aux if training else total
        self._track(raw, weights, gamma, aux, ops.shape(y_pred)[0])
        if training and self.recorder is not None:
            seen = replica_mean(ops.concatenate([raw, ops.stack([total, aux])]))
            n = len(self._terms)
            self.recorder.update_state(step, seen[n], gamma, seen[n + 1], seen[:n], weights)
        # The optimizer adds the gradients of the replicas up.
        return (total + sum(self.losses)) / replicas()

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Any]:
        """Metrics of the labels alone; pixels that do not count are background in both."""
        y_true, y_pred = void.cut(labels(y), y_pred, valid(y))
        return super().compute_metrics(x, y_true, y_pred, sample_weight)

    def _advance(self, step: Tensor, raw: Tensor, y: Tensor, y_pred: Tensor) -> Tensor:
        """The weights for these losses, after the memory has taken them in."""
        state = {name: _read(variable) for name, variable in self._memory.items()}
        gradients = self._gradients(step, state, y, y_pred)
        state, weights = self.strategy.update(state, replica_mean(raw), gradients)
        for name, variable in self._memory.items():
            variable.assign(state[name])
        return weights

    def _gradients(
        self, step: Tensor, state: dict[str, Tensor], y: Tensor, y_pred: Tensor
    ) -> dict[str, Tensor] | None:
        """Gradient statistics for the strategy and the insight, where one of them asks for them."""
        asked = []
        if self.strategy.needs_gradients:
            asked.append(self.strategy.due(state))
        if self.insight is not None:
            asked.append(step % self.insight_every == 0)
        if not asked:
            return None
        terms = {name: partial(term_value, name, loss, y) for name, loss in self._terms.items()}
        due, required = ops.any(ops.stack(asked)), self.strategy.needs_gradients
        found = term_statistics(terms, y_pred, due, required=required)
        if self.insight is not None:
            self.insight.update_state(step, found, asked[-1])
        return {name: found[name] for name in ("norm", "mean_abs", "max_abs")}

    def _track(self, raw: Tensor, weights: Tensor, gamma: Tensor, aux: Tensor, batch: Tensor) -> None:
        objective = ops.sum(self._objective_weights() * raw)
        raw_sum = _read(self._memory["raw_sum"])
        self._means.update_state(raw, weights, objective, raw_sum, gamma, aux, batch)

    def _objective_weights(self) -> Tensor:
        """Weights of the objective that stays comparable over epochs: the coefficients, summing to 1."""
        prior = self.strategy.prior or [1.0] * len(self._terms)
        return ops.convert_to_tensor([c / sum(prior) for c in prior], dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """A config from which :meth:`from_config` builds the same model (weights apart)."""
        auxiliary = None
        if self.auxiliary is not None and self._auxiliary_loss is not None:
            auxiliary = dataclasses.asdict(dataclasses.replace(self.auxiliary, loss=""))
            auxiliary["loss"] = losses.serialize(self._auxiliary_loss)
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "terms": {name: losses.serialize(loss) for name, loss in self._terms.items()},
            "weighting": {"name": self.strategy.name, **self.strategy.get_config()},
            "auxiliary": auxiliary,
            "record_steps": self.recorder.capacity if self.recorder is not None else 0,
            "insight_every": self.insight_every,
            "check": self.check,
            "steps_are_known": self._steps_are_known,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "FusedModel":
        """The inverse of :meth:`get_config`."""
        config = dict(config)
        config["network"] = keras.saving.deserialize_keras_object(config["network"], custom_objects)
        config["terms"] = {name: losses.deserialize(loss) for name, loss in config["terms"].items()}
        config["weighting"] = weighting.get(**config["weighting"])
        if config["auxiliary"]:
            auxiliary = config["auxiliary"]
            config["auxiliary"] = Auxiliary(**{**auxiliary, "loss": losses.deserialize(auxiliary["loss"])})
        known = config.pop("steps_are_known", True)
        model = cls(**config)
        model._steps_are_known = known
        return model


def _read(variable: keras.Variable) -> Tensor:
    """The value now: without the copy TensorFlow reads a variable late, and PyTorch shares its storage,
    so that an assignment in the same step would change what was read before it.
    """
    return ops.copy(variable.value)
