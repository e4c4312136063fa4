"""A strategy with one fault fails the property of that name, and the fewest rows show it."""

import numpy as np
import pytest
from keras import ops

from dmf_cli.checking.findings import FAILED, NOTED, PASSED, SKIPPED, outcomes
from dmf_cli.checking.strategies import PROPERTIES
from dmf_cli.checking.strategy_trial import Subject
from dmf_cli.weighting import Strategy


class good(Strategy):  # noqa: N801 - as users write it
    def adapt(self, state, losses):
        size = ops.abs(losses) + 1e-6 * ops.max(ops.abs(losses)) + 1e-12
        return {}, size / ops.sum(size)


class negative(Strategy):  # noqa: N801
    def adapt(self, state, losses):
        return {}, losses - 1.5 * ops.mean(losses)


class not_a_number(Strategy):  # noqa: N801
    """The guards keep its NaN out: the weights never change."""

    def adapt(self, state, losses):
        return {}, losses / (losses - losses)


class unguarded(Strategy):  # noqa: N801
    """It goes round the guards."""

    def update(self, state, losses, gradients=None):
        kept = dict(state, step=state["step"] + 1, stored=state["stored"] + 1)
        weights = losses / ops.sum(losses)
        return dict(kept, weights=weights), weights


class first_more(good):  # noqa: N801
    def adapt(self, state, losses):
        memory, weights = super().adapt(state, losses)
        raw = weights * ops.convert_to_tensor(np.linspace(2, 1, losses.shape[0], dtype="float32"))
        return memory, raw / ops.sum(raw)


class says_so(first_more):  # noqa: N801
    symmetric = False


class growing(good):  # noqa: N801
    def memory(self, n_terms):
        return {"rows": ops.zeros((1, n_terms))}

    def adapt(self, state, losses):
        _, weights = super().adapt(state, losses)
        return {"rows": ops.concatenate([state["rows"], losses[None]])}, weights


class remembers_itself(good):  # noqa: N801
    """Its memory is an attribute, which neither a replay nor a resumed run has."""

    calls = 0

    def adapt(self, state, losses):
        self.calls += 1
        memory, weights = super().adapt(state, losses)
        raw = weights + 0.1 * self.calls * ops.cast(ops.arange(losses.shape[0]) == 0, "float32")
        return memory, raw / ops.sum(raw)


class forgets_a_parameter(good):  # noqa: N801
    def __init__(self, *, decay=0.9, **common):
        super().__init__(**common)
        self._decay = decay


class wrong_shape(Strategy):  # noqa: N801
    def adapt(self, state, losses):
        return {}, ops.mean(losses) * ops.ones((2,)) / 2


def found(strategy, state=FAILED):
    subject = Subject(lambda: strategy(warmup=4))
    return {one.name: one for one in outcomes(subject, PROPERTIES) if one.state == state}


@pytest.mark.parametrize(
    ("strategy", "name", "said", "rows"),
    [
        (negative, "gives weights", "are negative in step 3", 4),
        (unguarded, "sane in any event", "in step", None),
        (unguarded, "NaN and infinite rows", "", 2),
        (first_more, "order of the terms", "for the losses in the order [2, 0, 1]", 4),
        (growing, "gives weights", "", 14),
        (remembers_itself, "pure, of fixed shape", "when a step is made again", 5),
        (forgets_a_parameter, "made again", "decay", None),
        (wrong_shape, "gives weights", "", 14),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_property_that_fails_and_the_fewest_rows(strategy, name, said, rows) -> None:
    failed = found(strategy)
    assert said in failed[name].detail
    if rows:
        given: dict = {}
        exec(failed[name].example, {"np": np}, given)
        assert given["losses"].shape[0] == rows


def test_terms_that_are_not_alike_are_said_to_be_so() -> None:
    assert not found(says_so)
    assert set(found(says_so, SKIPPED)) == {"order of the terms"}


def test_a_strategy_whose_nan_the_guards_keep_out_is_noted_to_stand_still() -> None:
    assert "its weights stay at [0.3333" in found(not_a_number, NOTED)["weights that move"].detail


def test_a_good_strategy_has_every_property() -> None:
    states = [one.state for one in outcomes(Subject(lambda: good(warmup=4)), PROPERTIES)]
    assert states == [PASSED] * len(PROPERTIES)
