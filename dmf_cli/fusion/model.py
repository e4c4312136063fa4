"""Several losses fused into one training objective, inside the compiled graph.

    L = sum_i w_i L_i + gamma(k) L_aux,    gamma(k) = gamma0 exp(-decay floor(k / every))

The weights come from a :mod:`dmf_cli.weighting` strategy whose state lives in non-trainable variables
of the model, so that it is updated on the device, saved with the weights and restored on resume.
(Golnari & Diba, Biomed. Signal Process. Control 111 (2026) 108388.)
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import keras
from keras import ops

from dmf_cli import weighting
from dmf_cli.errors import ConfigError
from dmf_cli.fusion import saving
from dmf_cli.fusion.arguments import (
    check_network,
    is_ours,
    resolve_auxiliary,
    resolve_strategy,
    resolve_terms,
)
from dmf_cli.fusion.auxiliary import Auxiliary as Auxiliary
from dmf_cli.fusion.first_batch import check_one_output, checked, refuse_weights, steps_of_epoch
from dmf_cli.fusion.logit_gradients import Gradients, term_statistics
from dmf_cli.fusion.progress_bar import with_progress
from dmf_cli.fusion.scales import Scales, at_scale, check_labels
from dmf_cli.fusion.step_logs import Packing
from dmf_cli.fusion.strategy_state import objective_weights, read, state_variables
from dmf_cli.fusion.targets import Loss, Targets, Tensor, needs, term_value, term_values
from dmf_cli.fusion.tracking import TermMeans, recorders
from dmf_cli.losses._inputs import as_float32
from dmf_cli.ops import normalization
from dmf_cli.ops.backend import gathered, on_part, replicas, to_numpy
from dmf_cli.weighting import check_terms
from dmf_cli.weighting._strategy import State


def fuse(
    model: keras.Model,
    terms: str | Sequence[str] | Mapping[str, str | Loss],
    weighting: "str | weighting.Strategy" = "var",
    auxiliary: Auxiliary | None = None,
    scales: int | Literal["auto"] = 0,
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
        scales: deep supervision: the loss is computed at so many coarser scales too, on maps of the network
            of half its size, a quarter, ... through 1x1 heads that only the training has. ``"auto"``: all of
            the decoder but its coarsest. Weighting, records, logs of terms and metrics see the full scale
            only; ``loss`` is over all scales while training.

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
    return FusedModel(model, terms, weighting, auxiliary, scales=scales)


@keras.saving.register_keras_serializable(package="dmf")
class FusedModel(keras.Model):
    """A network trained with several losses; see :func:`fuse`.

    Args:
        network: the model that maps images to probabilities; it is what you deploy.
        terms: see :func:`fuse`.
        weighting: see :func:`fuse`.
        auxiliary: see :func:`fuse`.
        scales: see :func:`fuse`. With some of them a call with ``training=True`` gives a list, the full scale
            first.
        record_steps: steps of an epoch whose per-step values are kept (see :attr:`recorder`); 0 keeps none.
        insight_every: every so many of these steps the norms of the terms' gradients at the logits and the
            cosines between them are kept too (see :attr:`insight`); 0 never.
        check: whether ``fit`` looks at labels and predictions first; only where a loss of this package is a
            term, for functions of your own may want other labels.

    Under ``tf.distribute.MirroredStrategy`` (with Keras from 3.10 on) every replica has the predictions and
    labels of the whole batch when it computes the losses, so that any loss, the weights and the memory are
    those of one device with that batch, also where a loss is pooled over the batch. Give batch normalisation
    ``synchronized=True`` there, and every replica equally many images of each training batch. JAX's
    ``keras.distribution`` computes on the whole batch in every case.
    """

    train_function: Any  # of Keras

    def __init__(
        self,
        network: keras.Model,
        terms: str | Sequence[str] | Mapping[str, str | Loss],
        weighting: "str | weighting.Strategy" = "var",
        auxiliary: Auxiliary | None = None,
        *,
        scales: int | Literal["auto"] = 0,
        record_steps: int = 0,
        insight_every: int = 0,
        check: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.network = network
        check_network(network)
        if keras.backend.backend() == "tensorflow":
            normalization.join(network)
        self._terms, coefficients = resolve_terms(terms)
        self.strategy = resolve_strategy(weighting, coefficients)
        self._steps_are_known = weighting != "dwa"
        self.check = check
        check_terms(self.strategy, self._terms)
        self.auxiliary, self._auxiliary_loss = resolve_auxiliary(auxiliary)
        self._memory = state_variables(self, self.strategy, len(self._terms))
        self._means = TermMeans(self.terms, auxiliary is not None)
        self._packing = Packing(self._means.columns, self._means.means)
        self.insight_every = insight_every
        self.recorder, self.insight = recorders(self.terms, record_steps, insight_every)
        self.scales = scales
        self._scales = Scales(network, scales) if scales else None
        self._heads = self._scales.heads(network.outputs[0].shape[-1]) if self._scales else []
        # Everything has its variables already: weights can be saved and loaded before the first batch.
        self.built = network.built

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses, in the order of the weights."""
        return tuple(self._terms)

    @property
    def needs(self) -> tuple[str, ...]:
        """What the losses take of ``y`` beside the labels when it is ``{"labels": ..., NAME: ...}``."""
        return tuple(sorted({name for loss in self._functions for name in needs(loss)}))

    @property
    def _functions(self) -> list[Loss]:
        return [*self._terms.values(), *([self._auxiliary_loss] if self._auxiliary_loss else [])]

    @property
    def memory(self) -> dict[str, Any]:
        """The strategy's state as NumPy arrays: ``weights``, ``step``, ``skipped``, ..."""
        return {name: to_numpy(variable) for name, variable in self._memory.items()}

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Probabilities of the network; see ``scales``."""
        if not training:
            return on_part(partial(self.network, training=training), inputs)
        if self._scales is None:
            return self.network(inputs, training=training)
        full, *maps = self._scales.trunk(inputs, training=True)
        return [full, *(head(values) for head, values in zip(self._heads, maps, strict=True))]

    def fit(self, x: Any = None, y: Any = None, *rest: Any, **options: Any) -> Any:
        """Like that of Keras, after a look at the data; see :func:`fuse`.

        Raises:
            ConfigError: what the losses cannot be computed from.
        """
        refuse_weights(class_weight=options.get("class_weight"), sample_weight=options.get("sample_weight"))
        if not self._steps_are_known:
            steps = steps_of_epoch(x, {**({"batch_size": rest[0]} if rest else {}), **options})
            config = {**self.strategy.get_config(), "steps_per_epoch": steps}
            self.strategy, self._steps_are_known = type(self.strategy)(**config), True
        if self.check and any(map(is_ours, self._functions)):
            x = checked(x, y, options.get("validation_data"), self.network)
        verbose = options.get("verbose", rest[2] if len(rest) > 2 else "auto")
        if verbose and len(rest) < 4:
            options["callbacks"] = with_progress(options.get("callbacks"), self._means.columns)
        return super().fit(x, y, *rest, **options)

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """The fused objective (a scalar); while training it also advances the strategy's memory."""
        refuse_weights(sample_weight=sample_weight)
        y_pred, coarse = self._split(y_pred)
        check_one_output(y_pred)
        if training and not self._steps_are_known:
            raise ConfigError(
                'weighting "dwa" compares the means of whole epochs',
                key="weighting.steps_per_epoch",
                hint='use fit, or give weighting.get("dwa", steps_per_epoch=...)',
            )
        if self._compile_loss is not None:
            reason = "would be ignored by a fused model"
            raise ConfigError(key="compile(loss=...)", reason=reason, allowed="an optimizer only")
        targets, y_pred = Targets.of(y).gathered(), as_float32(gathered(y_pred))
        coarse = [gathered(one) for one in coarse]
        asked = training and (self.strategy.needs_gradients or self.insight is not None)
        raw, gradients = term_values(self._terms, targets, y_pred, gradients=asked)
        state = {name: read(variable) for name, variable in self._memory.items()}
        step = state["step"]
        if training:
            state = self._advance(state, raw, gradients, y_pred)
        weights = state["weights"]
        # Keras's callbacks watch val_loss: there it must be the same sum in every epoch.
        fixed = objective_weights(self.strategy, len(self._terms))
        total, gamma, aux = ops.sum((weights if training else fixed) * raw), ops.zeros(()), ops.zeros(())
        if self.auxiliary is not None and self._auxiliary_loss is not None:
            gamma = self.auxiliary.gamma(step)
            aux = term_value("auxiliary", self._auxiliary_loss, targets, y_pred)
            total = total + gamma * aux if training else total
        trained = self._over_scales(total, targets, coarse, weights, gamma) if coarse else total
        whole = trained + sum(self.losses)
        objective, batch = ops.sum(fixed * raw), ops.shape(y_pred)[0]
        if replicas() > 1:  # each counts the whole batch, and what they count is added up
            batch = ops.cast(batch, "float32") / replicas()
        self._means.update_state(raw, weights, objective, state["raw_sum"], gamma, aux, batch)
        if training and self.recorder is not None:
            # The full scale's sum, unless what it is trained on is not finite: nothing else would say so.
            shown = ops.where(ops.isfinite(whole), total, whole)
            self.recorder.update_state(step, shown, gamma, aux, raw, weights)
        # The optimizer adds the gradients of the replicas up.
        return whole / replicas()

    def _split(self, y_pred: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Probabilities of the full scale, and of the coarser ones where there are any."""
        if self._scales is None or not isinstance(y_pred, list | tuple):
            return y_pred, []
        return y_pred[0], list(y_pred[1:])

    def _over_scales(
        self, full: Tensor, targets: Targets, coarse: Sequence[Tensor], weights: Tensor, gamma: Tensor
    ) -> Tensor:
        """What is trained on: ``full`` and the same sum at each coarser scale, weighted."""
        shares = self._scales.weights if self._scales else []
        sums = [full]
        check_labels(targets.labels, coarse[0])
        for scale, y_pred in enumerate(coarse, start=1):
            there, y_pred = at_scale(targets, scale), as_float32(y_pred)
            raw, _ = term_values(self._terms, there, y_pred, gradients=False)
            sums.append(ops.sum(weights * raw))
            if self._auxiliary_loss is not None:
                sums[-1] += gamma * term_value("auxiliary", self._auxiliary_loss, there, y_pred)
        return sum(share * one for share, one in zip(shares, sums, strict=True))

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Any]:
        """Metrics of the labels alone; pixels that do not count are background in both."""
        y_pred, _ = self._split(y_pred)
        results: dict[str, Any] = super().compute_metrics(x, *Targets.of(y).counted(y_pred), sample_weight)
        return results

    def make_train_function(self, force: bool = False) -> Any:
        """As that of Keras; on TensorFlow a step returns its logs in one vector."""
        made = self.train_function is None or force
        super().make_train_function(force)
        if made and keras.backend.backend() == "tensorflow":
            self.train_function = self._packing.around(self.train_function)
        return self.train_function

    def get_metrics_result(self) -> dict[str, Any]:
        """As that of Keras."""
        return self._packing.packed(super().get_metrics_result())

    def _advance(self, state: State, raw: Tensor, gradients: Gradients | None, y_pred: Tensor) -> State:
        """The memory after it has taken these losses in, with the weights for them."""
        statistics = None if gradients is None else self._statistics(state, gradients, y_pred)
        state, _ = self.strategy.update(state, raw, statistics)
        for name, variable in self._memory.items():
            variable.assign(state[name])
        return state

    def _statistics(self, state: State, gradients: Gradients, y_pred: Tensor) -> dict[str, Tensor]:
        """Gradient statistics in the steps in which the strategy or the insight asks for them."""
        required = self.strategy.needs_gradients
        asked = [self.strategy.due(state)] if required else []
        if self.insight is not None:
            asked.append(state["step"] % self.insight_every == 0)
        due = ops.any(ops.stack(asked))
        statistics = term_statistics(self.terms, gradients, y_pred, due, required=required)
        if self.insight is not None:
            self.insight.update_state(state["step"], statistics, asked[-1])
        return {name: statistics[name] for name in ("norm", "mean_abs", "max_abs")}

    def get_config(self) -> dict[str, Any]:
        """A config from which :meth:`from_config` builds the same model (without its weights)."""
        auxiliary = (self.auxiliary, self._auxiliary_loss)
        return {
            **super().get_config(),
            **saving.to_config(self.network, self._terms, self.strategy, auxiliary),
            "record_steps": self.recorder.capacity if self.recorder is not None else 0,
            "insight_every": self.insight_every,
            "scales": self.scales,
            "check": self.check,
            "steps_are_known": self._steps_are_known,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "FusedModel":
        """The inverse of :meth:`get_config`."""
        arguments = saving.from_config(config, custom_objects)
        known = arguments.pop("steps_are_known", True)
        model = cls(**arguments)
        model._steps_are_known = known
        return model
