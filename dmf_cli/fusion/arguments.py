"""What a user hands to a fused model, checked and turned into functions."""

import functools
from collections.abc import Mapping, Sequence

import keras

from dmf_cli import losses, weighting
from dmf_cli.errors import ConfigError, UnknownNameError
from dmf_cli.fusion.auxiliary import Auxiliary
from dmf_cli.fusion.targets import Loss
from dmf_cli.parts import registry


def resolve_loss(loss: str | Loss) -> Loss:
    """A loss by its name, or the function itself."""
    if isinstance(loss, str):
        return losses.get(loss)
    if not callable(loss):
        raise ConfigError(
            key="a loss term", value=loss, allowed="a name from dmf_cli.losses or a function (y_true, y_pred)"
        )
    return losses.unchecked(loss)


def resolve_auxiliary(auxiliary: Auxiliary | None) -> tuple[Auxiliary | None, Loss | None]:
    """``auxiliary``, and its loss as a function."""
    if not isinstance(auxiliary, Auxiliary | None):
        raise ConfigError(key="auxiliary", value=auxiliary, allowed="dmf_cli.Auxiliary(loss, ...) or None")
    return auxiliary, resolve_loss(auxiliary.loss) if auxiliary else None


def check_network(network: keras.Model) -> None:
    """Raise ``ConfigError`` for a network with several outputs."""
    if len(getattr(network, "outputs", None) or [None]) > 1:
        raise ConfigError(
            key="the network",
            reason=f"has {len(network.outputs)} outputs",
            allowed="one that ends in the probabilities, keras.Model(network.inputs, network.outputs[0])",
        )


def resolve_terms(
    terms: str | Sequence[str] | Mapping[str, str | Loss],
) -> tuple[dict[str, Loss], list[float] | None]:
    """Name -> loss, in order, at least one, none twice; and the coefficients of an expression."""
    coefficients = None
    if isinstance(terms, str):
        from dmf_cli import expression  # the language of `dmf train loss=...`

        written = expression.parse(terms, registry.names("loss")).coefficients
        terms = list(written)
        if any(value != 1.0 for value in written.values()):
            coefficients = list(written.values())
    if not isinstance(terms, Mapping):
        terms = _named(terms)
    if not terms:
        raise ConfigError("no loss terms", key="terms", hint='name at least one, for example ["dice", "bce"]')
    return {name: resolve_loss(loss) for name, loss in terms.items()}, coefficients


def _named(terms: Sequence[str]) -> dict[str, str]:
    wrong = [term for term in terms if not isinstance(term, str)]
    if wrong:
        allowed = "a mapping of name to function"
        raise ConfigError(key="a loss term without a name", value=wrong[0], allowed=allowed)
    if len(set(terms)) < len(terms):
        hint = "each may be named once; use a mapping for variants of one loss"
        raise ConfigError(f"loss terms {list(terms)}", key="terms", value=list(terms), hint=hint)
    return {name: name for name in terms}


def resolve_strategy(
    strategy: str | weighting.Strategy, coefficients: Sequence[float] | None = None
) -> weighting.Strategy:
    """A strategy by its name, or the strategy itself; with ``coefficients`` of the terms, if there are."""
    if isinstance(strategy, str):
        strategy = _named_strategy(strategy)
    if not isinstance(strategy, weighting.Strategy):
        raise ConfigError(
            key="weighting",
            value=strategy,
            allowed=f"a name ({', '.join(registry.names('strategy'))}) "
            "or what dmf_cli.weighting.get(name, ...) returns",
        )
    if coefficients is None:
        return strategy
    if strategy.prior is not None:
        raise ConfigError(
            f"the loss terms have coefficients and weighting {strategy.name} has prior={strategy.prior}",
            key="weighting.prior",
            value=strategy.prior,
            allowed="one of them",
        )
    return type(strategy)(**{**strategy.get_config(), "prior": list(coefficients)})


def _named_strategy(name: str) -> weighting.Strategy:
    """What `dmf list weightings` calls ``name``: a strategy with its defaults, or a preset of one."""
    from dmf_cli import conf_files

    if name in registry.names("strategy") or name not in (presets := conf_files.options("weighting")):
        if name not in registry.names("strategy"):
            raise UnknownNameError("weighting", name, sorted({*registry.names("strategy"), *presets}))
        # How long an epoch is, is known when `fit` is called.
        return weighting.get(name, **({"steps_per_epoch": 1} if name == "dwa" else {}))
    base, params = conf_files.preset("weighting", name)
    return weighting.get(base, **params)


def is_ours(loss: Loss) -> bool:
    """Whether ``loss`` is one of :mod:`dmf_cli.losses`, perhaps with parameters."""
    function = loss.func if isinstance(loss, functools.partial) else loss
    return str(getattr(function, "__module__", "")).startswith("dmf_cli.losses")
