"""What no strategy can get round: bad rows, extreme losses, the sum, purity, no gradient."""

import functools
import inspect
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from dmf_cli import lookup, weighting
from dmf_cli.checking.findings import PASSED, SKIPPED
from dmf_cli.checking.strategies import PROPERTIES
from dmf_cli.checking.strategy_trial import event, falling, random_losses
from dmf_cli.errors import ConfigError, UnknownNameError
from tests.raised import raises

NAMES = weighting.__registry__
# Both forms of what has two, and paths that the defaults do not take.
VARIANTS = (
    ("bayes", {"prior_power": 1.0}),
    ("cov", {"decay": 0.9}),
    ("lr_annealing", {"form": "max", "alpha": 0.9}),
    ("relobralo", {"alpha": 0.5, "rho": 0.5}),
    ("softadapt", {"variant": "normalized", "beta": 5.0}),
    ("softadapt", {"variant": "original", "slope": "oldest"}),
    ("uncertainty", {"form": "positive"}),
)
each = pytest.mark.parametrize("name", NAMES)
cases = [*((name, {}) for name in NAMES), *VARIANTS]
each_variant = pytest.mark.parametrize(
    ("name", "params"), cases, ids=lambda v: v if isinstance(v, str) else "-".join(map(str, v.values()))
)


def sane(state: dict, weights: np.ndarray, total: float = 1.0) -> None:
    assert np.all(np.isfinite(weights))
    assert np.all(weights >= 0)
    np.testing.assert_allclose(weights.sum(axis=1), total, rtol=1e-5)
    for key, value in state.items():
        assert np.all(np.isfinite(value)), key


@pytest.mark.parametrize("wanted", PROPERTIES, ids=lambda wanted: wanted.name)
@each_variant
def test_what_dmf_check_looks_for(name: str, params: dict, wanted, subject) -> None:
    found = wanted.of(subject(name, **params))
    alike = name not in ("lr_annealing", "random") or wanted.name != "order of the terms"
    assert (found.state, found.example) == (PASSED if alike else SKIPPED, ""), found.detail


@pytest.mark.parametrize("kind", ["signs", "negative"])
@each_variant
def test_weights_stay_sane_with_negative_losses_that_are_refused_in_training(
    name: str, params: dict, kind: str, run
) -> None:
    state, weights = run(name, event(kind), **params)
    sane(state, weights)
    assert (state["step"], state["stored"], state["skipped"]) == (14, 14, 0)


@pytest.mark.parametrize("kind", ["all at 0", "one at 0", "scales", "spike"])
@pytest.mark.parametrize("name", [name for name in NAMES if getattr(weighting, name).needs_gradients])
def test_weights_stay_sane_whatever_the_gradients_do(name: str, kind: str, run) -> None:
    sizes = falling().astype("float32")
    changes = {"all at 0": (slice(None), 0.0), "one at 0": (np.s_[4:, 1], 0.0), "spike": (np.s_[5, 0], 1e12)}
    if kind == "scales":
        sizes *= np.array([1e-20, 1.0, 1e8], "float32")
    else:
        place, value = changes[kind]
        sizes[place] = value
    given = [({k: ops.convert_to_tensor(row) for k in ("norm", "mean_abs", "max_abs")},) for row in sizes]
    state, weights = run(name, falling(), given)
    sane(state, weights)
    if kind == "all at 0":  # nothing is known, so nothing changes
        np.testing.assert_allclose(weights, 1 / 3, rtol=1e-6)


@each
@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**32 - 1), exponent=st.sampled_from([-8, -3, 0, 4, 8]), sign=st.sampled_from([1, -1])
)
def test_weights_are_finite_not_negative_and_sum_to_1_at_any_scale(name, seed, exponent, sign, run) -> None:
    rng = np.random.default_rng(seed)
    losses = sign * 10.0 ** rng.uniform(-abs(exponent), exponent, (14, 3))
    losses[rng.random((14, 3)) < 0.1] = 0.0
    state, weights = run(name, losses)
    sane(state, weights)
    assert state["stored"] == 14


@each
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_row_with_a_value_that_is_not_finite_is_dropped_whole(name: str, bad: float, run) -> None:
    losses = random_losses()
    broken = np.insert(losses, 7, [1.0, bad, 1.0], axis=0)
    before, weights_before = run(name, losses[:7])
    at, _ = run(name, broken[:8])
    for key in set(before) - {"step", "skipped"}:
        np.testing.assert_array_equal(at[key], before[key], err_msg=key)
    after, weights = run(name, broken)
    np.testing.assert_array_equal(weights[7], weights_before[-1])
    assert (after["step"], after["stored"], after["skipped"]) == (13, 12, 1)
    if name != "dwa":  # a lost step is still a step of its epoch
        np.testing.assert_array_equal(np.delete(weights, 7, axis=0), run(name, losses)[1])


@pytest.mark.parametrize("name", [name for name in NAMES if getattr(weighting, name).needs_gradients])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_row_with_a_gradient_that_is_not_finite_is_dropped_whole(
    name: str, bad: float, run, small, gradients_of
) -> None:
    losses = random_losses()
    given = gradients_of(small(name), losses)
    worse = {key: ops.convert_to_tensor(np.array([1.0, bad, 1.0], "float32")) for key in given[7][0]}
    state, weights = run(name, losses, [*given[:7], (worse,), *given[8:]])
    np.testing.assert_array_equal(weights[7], weights[6])
    rest = run(name, np.delete(losses, 7, axis=0), [*given[:7], *given[8:]])
    np.testing.assert_array_equal(np.delete(weights, 7, axis=0), rest[1])
    assert (state["step"], state["stored"], state["skipped"]) == (12, 11, 1)


@each
def test_bad_rows_before_anything_else_leave_equal_weights(name: str, run) -> None:
    state, weights = run(name, np.full((6, 3), np.nan))
    np.testing.assert_allclose(weights, 1 / 3, rtol=1e-6)
    assert (state["step"], state["stored"], state["skipped"]) == (6, 0, 6)
    after = run(name, np.concatenate([np.full((6, 3), np.nan), falling()]))
    sane(*after)
    if name != "dwa":
        np.testing.assert_array_equal(after[1][6:], run(name, falling())[1])


# Each parameter of each strategy, changed from its default.
OTHER = {
    "total": 2.0, "prior": np.array([1.0, 2.0, 3.0]), "warmup": 5, "window": 9, "every": 3, "floor": 0.1,
    "ceiling": 0.8, "smoothing": 0.5, "prior_power": 0.25, "seed": 7, "temperature": 3.0,
    "steps_per_epoch": 4, "decay": 0.9, "alpha": 0.25, "rho": 0.5, "jump": False, "mu": 0.5,
    "ideal": [0.1, 0.2, 0.3], "learning_rate": 0.1, "weight_decay": 0.5, "reference_term": 1,
    "variant": "original", "beta": -2.0, "slope": "oldest", "accuracy_order": 2, "reference": True,
}  # fmt: skip
FORMS = {"uncertainty": "positive", "lr_annealing": "max"}


@each
def test_config_round_trip(name: str, small) -> None:
    taken = lookup.keywords(getattr(weighting, name))
    changed = {key: FORMS[name] if key == "form" else OTHER[key] for key in taken}
    assert all(changed[key] is not taken[key].default for key in taken)
    for strategy in (small(name), weighting.get(name, **changed)):
        config = json.loads(json.dumps(strategy.get_config()))
        again = weighting.get(strategy.name, **config)
        assert type(again) is type(strategy)
        assert again.get_config() == config == strategy.get_config()
    assert {**config, "prior": None} == {**changed, "prior": None}


def test_a_misspelt_name_or_parameter_names_the_closest() -> None:
    with raises(UnknownNameError, key="weighting", value="vra"):
        weighting.get("vra")
    with raises(UnknownNameError, key="parameter of mad", value="widow"):
        weighting.get("mad", widow=3)
    with raises(UnknownNameError, key="parameter of fixed", value="window"):
        weighting.get("fixed", window=3)
    with raises(UnknownNameError, key="weighting", value="replay"):
        weighting.get("replay")


def test_replay_says_what_it_needs(small) -> None:
    for shape in ((3,), (0, 2), (2, 0), (2, 2, 2)):
        with raises(ConfigError, key="losses", reason=str(shape)):
            weighting.replay("fixed", np.ones(shape))
    with raises(ConfigError, key="strategy", allowed="its name"):
        weighting.replay(small("var"), random_losses(), warmup=2)
    with raises(ConfigError, key="gradients.norm", allowed="array of (12, 3)"):
        weighting.replay("gradnorm", random_losses())
    with raises(ConfigError, key="gradients.max_abs"):
        weighting.replay("lr_annealing", random_losses(), gradients={"mean_abs": random_losses()})
    with raises(ConfigError, key="gradients.norm", reason="(3,)", allowed="(12, 3)"):
        weighting.replay("gradnorm", random_losses(), gradients={"norm": np.ones(3)})


def test_a_strategy_that_needs_gradients_says_so_when_there_are_none(small) -> None:
    strategy = small("gradnorm")
    with raises(ConfigError, key="weighting", value="gradnorm", hint="train with it"):
        strategy.update(strategy.init(3), ops.ones((3,)))


def test_a_strategy_without_a_formula_says_so() -> None:
    with pytest.raises(TypeError, match="does not define adapt"):
        weighting.replay(weighting.Strategy(), [[1.0]])


@each
def test_a_terms_loss_that_can_be_negative_is_refused_where_it_makes_no_sense(name: str, small) -> None:
    def good(y_true, y_pred): ...
    def boundary(y_true, y_pred, *, scale=1.0): ...

    boundary.can_be_negative = True  # type: ignore[attr-defined]
    strategy = small(name)
    weighting.check_terms(strategy, {"good": good})
    fixed_twice = functools.partial(functools.partial(boundary, scale=2.0), scale=3.0)
    if strategy.needs_positive:
        with raises(ConfigError, key="weighting", value=name, what="loss term 'shape' can be negative"):
            weighting.check_terms(strategy, {"good": good, "shape": fixed_twice})
    else:
        weighting.check_terms(strategy, {"good": good, "shape": fixed_twice})


def test_who_needs_losses_above_0(small) -> None:
    """Those whose formula has a ratio or a logarithm of losses, or that minimise exp(s) L over s."""
    needy = {name for name in NAMES if small(name).needs_positive}
    assert needy == {
        "cov", "dwa", "famo", "geometric", "gradnorm", "imtl_l", "relobralo", "softadapt", "uncertainty",
    }  # fmt: skip
    assert not weighting.get("softadapt", variant="original").needs_positive


@each
def test_no_gradient_flows_through_the_weights(name: str, small, gradients_of) -> None:
    strategy = small(name)
    state = strategy.init(2)
    losses = random_losses(6, 2)
    for row, extra in zip(losses, gradients_of(strategy, losses), strict=True):
        state, _ = strategy.update(state, ops.convert_to_tensor(row), *extra)
    assert not weights_depend_on_losses(strategy, state, gradients_of(strategy, losses)[0])


def weights_depend_on_losses(strategy: weighting.Strategy, state, extra) -> bool:
    """Whether the weights depend on the losses in the eyes of the backend's autodiff."""
    row = np.array([0.4, 0.9], "float32")
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        slope = jax.grad(lambda x: strategy.update(state, x, *extra)[1][0])(jax.numpy.asarray(row))
        return bool(np.any(np.asarray(slope)))
    if backend == "torch":
        import torch

        return strategy.update(state, torch.tensor(row, requires_grad=True), *extra)[1].requires_grad
    import tensorflow as tf

    x = tf.convert_to_tensor(row)
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = strategy.update(state, x, *extra)[1][0]
    return tape.gradient(first, x) is not None


def test_the_page_has_every_strategy_and_preset() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs/reference/strategies.md").read_text()
    histories = (root / "docs/background/weighting.md").read_text()
    for name in NAMES:
        assert page.count(f"\n| `{name}` |") == 3, name  # what it is, what it reacts to, when it helps
        assert f"\n| `{name}` |" in histories
    presets = {file.stem for file in (root / "conf" / "weighting").glob("*.yaml")} - set(NAMES)
    assert presets
    assert all(f"{name}`" in page for name in presets)


@each
def test_a_strategy_has_one_small_class(name: str) -> None:
    """Nothing but the formula: what all strategies share is in the base, and cannot be overridden."""
    own = set(vars(getattr(weighting, name)))
    assert not own & {"update", "init", "due", "get_config", "_finish"}
    assert len(inspect.getsource(getattr(weighting, name)).splitlines()) < 120
