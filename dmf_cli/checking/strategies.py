"""What every weighting strategy has to do, whatever its formula: guards, order of the terms, replay."""

import json
from collections.abc import Sequence

import numpy as np
from keras import ops

from dmf_cli import weighting
from dmf_cli.checking.findings import Broken, Noted, Property, Skipped, called
from dmf_cli.checking.strategy_trial import (
    EVENTS,
    STEPS,
    Subject,
    event,
    falling,
    gradients,
    random_losses,
    sizes_of,
)

BAD = (float("nan"), float("inf"), float("-inf"))


def gives_weights(subject: Subject) -> str:
    """One weight a term in each step, finite, not negative, of the right sum."""
    losses = falling()
    _, weights = _run(subject, losses)
    return f"from {weights.min():.3g} to {weights.max():.3g} in {len(losses)} steps"


def weighs_itself(subject: Subject) -> None:
    """The formula gives finite weights of 0 and above, which the guards need not replace."""
    if wrong := called(weighting.fault, subject.strategy):
        raise Broken(wrong)


def sane_in_any_event(subject: Subject) -> str:
    """Whatever the losses do: constant, 0, negative, of other sizes, with spikes."""
    for kind in EVENTS:
        losses = event(kind)
        if subject.strategy.needs_positive and (losses < 0).any():
            losses = np.abs(losses)
        _run(subject, losses, f"losses {kind}: ")
    return f"{len(EVENTS)} of them"


def any_number_of_terms(subject: Subject) -> None:
    """One loss to twenty."""
    for terms in (1, 2, 20):
        _, weights = _run(subject, random_losses(10, terms))
        if (
            terms == 1
            and subject.strategy.total is not None
            and not np.allclose(weights, subject.strategy.total, rtol=1e-5)
        ):
            raise Broken(f"{weights[-1, 0]:.4g} for one term alone", losses=random_losses(10, 1))


def bad_rows_never_enter(subject: Subject) -> None:
    """A row with NaN or an infinite value changes neither memory nor weights."""
    losses = random_losses()
    for count in (1, 2, 6):
        for bad in BAD:
            broken = np.insert(losses[:count], count, [1.0, bad, 1.0], axis=0)
            before, weights_before = subject.run(losses[:count])
            after, weights = _run(subject, broken)
            for key in sorted(set(before) - {"step", "skipped"}):
                if not np.array_equal(before[key], after[key]):
                    raise Broken(f"{key} changes in a step with {bad}", losses=broken)
            if not np.array_equal(weights[-1], weights_before[-1]):
                raise Broken(f"the weights change in a step with {bad}", losses=broken)


def order_of_the_terms(subject: Subject) -> None:
    """Exchanged losses have exchanged weights."""
    strategy = subject.strategy
    if not strategy.symmetric:
        raise Skipped("its terms are not alike (symmetric = False)")
    losses, order = falling(), [2, 0, 1]
    other = losses[:, order]
    _, weights = subject.run(losses, gradients(strategy, losses, sizes_of(losses)))
    _, exchanged = subject.run(other, gradients(strategy, other, sizes_of(other)))
    for step, (here, there) in enumerate(zip(weights, exchanged, strict=True)):
        if not np.allclose(here[order], there, rtol=1e-4, atol=1e-6):
            what = f"{_list(here)}, and {_list(there)} for the losses in the order {order}"
            raise Broken(what, losses=losses[: step + 1])


def replay_is_step_by_step(subject: Subject) -> None:
    """A replay of recorded losses gives the weights that a training had."""
    losses = falling()
    recorded = {name: sizes_of(losses[:, ::-1]) for name in subject.strategy.statistics}
    _, weights = subject.run(losses)
    replayed = weighting.replay(subject.strategy, losses, gradients=recorded or None)
    for step, (here, there) in enumerate(zip(weights, replayed, strict=True)):
        if not np.allclose(here, there, rtol=1e-5, atol=1e-6):
            raise Broken(f"{_list(here)} in steps, and {_list(there)} replayed", losses=losses[: step + 1])


def pure(subject: Subject) -> None:
    """A step gives a new state of the same arrays, twice the same, and does not change the old one."""
    strategy = subject.strategy
    rows = random_losses(strategy.idle_steps + 2)  # the weights change in the last of them
    *earlier, second = gradients(strategy, rows)
    state = strategy.init(3)
    for now, more in zip(rows, earlier, strict=False):
        state, _ = subject.step(state, ops.convert_to_tensor(now), *more)
    before = {key: np.array(ops.convert_to_numpy(value)) for key, value in state.items()}
    row = ops.convert_to_tensor(rows[-1])
    (new, weights), (again, _) = (strategy.update(state, row, *second) for _ in range(2))
    start = strategy.init(3)
    if not new.keys() == state.keys() == start.keys():
        odd = sorted(new.keys() ^ start.keys())
        raise Broken(
            f"its state has {', '.join(odd)} in some steps only: give them in memory() too", losses=rows
        )
    for key, value in before.items():
        shape, dtype = tuple(start[key].shape), start[key].dtype
        if tuple(new[key].shape) != shape or new[key].dtype != dtype:
            raise Broken(
                f"{key} is {dtype} {shape} at first and {new[key].dtype} {tuple(new[key].shape)} later",
                losses=rows,
            )
        if not np.array_equal(ops.convert_to_numpy(state[key]), value):
            raise Broken(f"a step changes {key} of the state that it is given", losses=rows)
        if not np.array_equal(ops.convert_to_numpy(new[key]), ops.convert_to_numpy(again[key])):
            raise Broken(f"{key} is another one when a step is made again", losses=rows)
    if not np.array_equal(ops.convert_to_numpy(weights), ops.convert_to_numpy(new["weights"])):
        raise Broken("the weights of its state are others than those that it gives", losses=rows)


def warm_up(subject: Subject) -> None:
    """The weights are those of the start until so many losses were seen, of which NaN is none."""
    strategy = subject.strategy
    if not strategy.adaptive:
        return
    wait = strategy.warmup - 1
    losses = np.insert(random_losses(wait + 4), [0, 2], np.nan, axis=0)
    _, weights = subject.run(losses)
    start = ops.convert_to_numpy(strategy.init(3)["weights"])
    moved = np.flatnonzero(~np.isclose(weights, start, rtol=1e-5).all(axis=1))
    if moved.size and moved[0] < wait + 2:
        raise Broken(
            f"changes in step {moved[0]} of a warm-up of {strategy.warmup}", losses=losses[: moved[0] + 1]
        )


def moves(subject: Subject) -> None:
    """Sane weights are easy for a strategy that does nothing."""
    strategy = subject.strategy
    if not strategy.adaptive:
        return
    losses = falling(strategy.idle_steps + STEPS)
    weights = subject.run(losses)[1]
    if min(np.ptp(weights[-1]), np.ptp(weights[strategy.idle_steps :], axis=0).max()) < 1e-3:
        raise Noted(f"its weights stay at {_list(weights[-1])} for {len(losses)} steps")


def made_again(subject: Subject) -> None:
    """Made again from its parameters, as ``resume`` and ``load_model`` do."""
    strategy = subject.strategy
    config = called(strategy.get_config)
    try:
        kept = json.loads(json.dumps(config))
    except TypeError as error:
        raise Broken(f"its parameters are no plain data ({error})", config=config) from None
    again = called(lambda: type(strategy)(**kept), config=config)
    if again.get_config() != strategy.get_config():
        raise Broken("made again from get_config() it has other parameters", config=config)


PROPERTIES = (
    Property("gives weights", gives_weights),
    Property("sane in any event", sane_in_any_event),
    Property("1 to 20 terms", any_number_of_terms),
    Property("NaN and infinite rows", bad_rows_never_enter),
    Property("order of the terms", order_of_the_terms),
    Property("replay", replay_is_step_by_step),
    Property("pure, of fixed shape", pure),
    Property("warm-up", warm_up),
    Property("weights that move", moves),
    Property("made again", made_again),
    Property("weights of its own", weighs_itself),
)


def _run(subject: Subject, losses: np.ndarray, what: str = "") -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A run whose weights are sane; :class:`Broken` with the rows up to the first that are not."""
    state, weights = called(subject.run, losses, losses=losses)
    if weights.shape != losses.shape:
        raise Broken(
            f"{what}gives weights {weights.shape[1:]} for {losses.shape[1]} losses", losses=losses[:1]
        )
    for step, row in enumerate(weights):
        wrong = _wrong(row, subject.strategy.total)
        if wrong:
            raise Broken(f"{what}{wrong} in step {step}", losses=losses[: step + 1])
    stored = int(np.isfinite(losses).all(axis=1).sum())
    counts = {"step": len(losses), "stored": stored, "skipped": len(losses) - stored}
    for key, value in state.items():
        if key in counts and int(value) != counts[key]:
            raise Broken(f"{what}counts {int(value)} as {key}, of {len(losses)} steps", losses=losses)
        if not np.isfinite(value).all():
            raise Broken(f"{what}{key} of its state is not finite", losses=losses)
    return state, weights


def _wrong(row: np.ndarray, total: float | None) -> str:
    if not np.isfinite(row).all():
        return f"weights {_list(row)} are not finite"
    if (row < 0).any():
        return f"weights {_list(row)} are negative"
    if total is not None and abs(row.sum() - total) > 1e-5 * total:
        return f"weights {_list(row)} sum to {row.sum():.6g} and not to {total:g}"
    return ""


def _list(values: Sequence[float] | np.ndarray) -> str:
    return "[" + ", ".join(f"{value:.4g}" for value in values) + "]"
