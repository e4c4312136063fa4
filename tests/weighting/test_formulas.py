"""Each strategy step by step against its formula in float64; test_memory.py has var, mad and bayes."""

import numpy as np
import pytest
from keras import ops

from dmf_cli import weighting
from dmf_cli.weighting import _generator


def history(steps: int = 24, terms: int = 3, seed: int = 0) -> np.ndarray:
    """Losses that fall, at different rates and noise."""
    rng = np.random.default_rng(seed)
    trend = np.exp(-np.arange(steps)[:, None] * rng.uniform(0.001, 0.1, terms))
    noise = rng.uniform(0.01, 0.3, terms) * rng.random((steps, terms))
    return (rng.uniform(0.3, 3, terms) * trend + noise).astype("float32")


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def check(name: str, expected, losses: np.ndarray, rtol: float = 2e-5, gradients=None, **params) -> None:
    weights = weighting.replay(name, losses, total=None, gradients=gradients, **params)
    np.testing.assert_allclose(weights, expected, rtol=rtol, atol=1e-7)


@pytest.mark.parametrize("warmup", [1, 5])
@pytest.mark.parametrize("variant", ["original", "normalized", "loss_weighted"])
def test_softadapt_on_the_line_through_the_last_values(variant: str, warmup: int) -> None:
    losses, expected = history(), []
    for t in range(1, 25):
        past = losses[max(0, t - 8) : t].astype("float64")
        slope = np.polyfit(np.arange(len(past)), past, 1)[0] if t > 1 else np.zeros(3)
        if variant == "normalized" and t > 1:
            slope /= np.abs(slope).sum()
        w = softmax(3.0 * slope) * (past.mean(axis=0) if variant == "loss_weighted" else 1)
        expected.append(w / w.sum() if t >= warmup else np.full(3, 1 / 3))
    check("softadapt", expected, losses, variant=variant, beta=3.0, window=8, warmup=warmup)


def test_the_slope_at_the_newest_values_is_not_lost_in_the_size_of_the_loss() -> None:
    """A slope of 1e-4 a step on a loss of 1000: differences are summed, not products of large numbers."""
    losses = np.stack([1000 + 2.0**-10 * np.arange(50), np.full(50, 1000.0)], axis=1)
    weights = weighting.replay("softadapt", losses, variant="normalized", beta=1.0, window=50, warmup=1)[-1]
    np.testing.assert_allclose(weights, softmax(np.array([1.0, 0.0])), rtol=1e-5)


def test_softadapt_at_the_oldest_takes_what_there_is_until_the_order_is_reached() -> None:
    losses, expected = history(12), []
    for t in range(1, 13):
        past = losses[max(0, t - 3) : t].astype("float64")  # order 2: three values
        slope = {1: np.zeros(3), 2: past[-1] - past[0]}.get(len(past))
        if slope is None:
            slope = -1.5 * past[0] + 2 * past[1] - 0.5 * past[2]
        expected.append(softmax(2.0 * slope))
    params = {"variant": "original", "slope": "oldest", "accuracy_order": 2, "window": 6}
    check("softadapt", expected, losses, beta=2.0, warmup=1, **params)


@pytest.mark.parametrize("beta", [5.0, -5.0])
def test_the_sign_of_beta_decides_who_gains(beta: float) -> None:
    t = np.arange(20)[:, None]
    losses = np.concatenate([2 - 0.05 * t, 2 - 0.01 * t], axis=1)  # the first falls faster
    for variant in ("original", "normalized"):
        fast, slow = weighting.replay("softadapt", losses, variant=variant, beta=beta, warmup=4)[-1]
        assert (slow > fast) == (beta > 0)


@pytest.mark.parametrize("warmup", [1, 14])
def test_dwa(warmup: int) -> None:
    losses, expected = history(24), []
    means = losses.reshape(4, 6, 3).mean(axis=1, dtype="float64")
    for t in range(24):
        epoch = t // 6
        idle = epoch < 2 or t + 1 < warmup
        w = np.ones(3) if idle else 3 * softmax(means[epoch - 1] / means[epoch - 2] / 0.5)
        expected.append(w)
    check("dwa", expected, losses, temperature=0.5, steps_per_epoch=6, warmup=warmup)


def test_dwa_counts_lost_steps_and_leaves_out_a_lost_epoch() -> None:
    losses = history(24)
    losses[[1, 8]] = np.nan  # steps of epochs 0 and 1
    losses[12:18] = np.nan  # all of epoch 2
    means = np.nanmean(np.delete(losses.reshape(4, 6, 3), 2, axis=0).astype("float64"), axis=1)
    weights = weighting.replay("dwa", losses, steps_per_epoch=6, warmup=1, total=None)
    np.testing.assert_allclose(weights[:18], 1.0)
    np.testing.assert_allclose(weights[18:], [3 * softmax(means[1] / means[0] / 2)] * 6, rtol=1e-5)


def test_dwa_treats_a_loss_that_was_0_as_one_that_stands_still() -> None:
    losses = history(9)
    losses[:3, 1] = 0.0
    means = losses.reshape(3, 3, 3).mean(axis=1, dtype="float64")
    rates = np.where(means[0] > 0, means[1] / np.where(means[0] > 0, means[0], 1), 1)
    weights = weighting.replay("dwa", losses, steps_per_epoch=3, warmup=1)[-1]
    np.testing.assert_allclose(weights, softmax(rates / 2), rtol=1e-5)


@pytest.mark.parametrize("decay", [None, 0.8])
def test_cov(decay: float | None) -> None:
    losses, expected = history().astype("float64"), []
    ratios: list = []
    for t, row in enumerate(losses):
        seen = np.array(ratios)
        parts = (
            np.ones(t)
            if decay is None
            else np.array([decay ** (t - 1)] + [(1 - decay) * decay ** (t - 1 - k) for k in range(1, t)])
        )
        if t < 2:
            expected.append(np.full(3, 1 / 3))
        else:
            mean = np.average(seen, axis=0, weights=parts)
            w = np.sqrt(np.average((seen - mean) ** 2, axis=0, weights=parts) + 1e-8) / mean
            expected.append(w / w.sum())
        ratios.append(row / np.average(losses[:t], axis=0, weights=parts) if t else np.ones(3))
    check("cov", expected, history(), rtol=1e-4, decay=decay, warmup=1)


def test_cov_goes_on_after_a_first_loss_of_0() -> None:
    losses = history()
    losses[0, 1] = 0.0
    weights = weighting.replay("cov", losses, warmup=1)
    assert np.all(weights > 1e-3)
    assert np.ptp(weights[-1]) > 1e-2


@pytest.mark.parametrize("jump", [True, False])
def test_relobralo_looks_back_when_its_generator_says_so(jump: bool) -> None:
    losses, expected, w = history().astype("float64"), [], np.ones(3)
    draws = [
        float(_generator.uniform(9, ops.convert_to_tensor(t + 1, dtype="int32"), 1)[0]) for t in range(24)
    ]
    stays = np.array(draws) < 0.6
    assert 4 < stays.sum() < 22
    for t, row in enumerate(losses):
        recent = 3 * softmax(row / (2.0 * losses[t - 1]))
        past = w if stays[t] else 3 * softmax(row / (2.0 * losses[0]))
        w = np.ones(3) if t == 0 else 0.7 * past + 0.3 * recent
        w = recent if t == 1 and jump else w
        expected.append(w)
    params = {"alpha": 0.7, "rho": 0.6, "temperature": 2.0, "seed": 9, "jump": jump}
    check("relobralo", expected, history(), warmup=1, **params)


@pytest.mark.parametrize("warmup", [1, 6])
@pytest.mark.parametrize("form", ["log_variance", "positive"])
def test_uncertainty_descends_its_objective(form: str, warmup: int) -> None:
    losses, expected = history().astype("float64"), []
    noise = np.full(3, float(form == "positive"))

    def objective(x: np.ndarray, row: np.ndarray) -> np.ndarray:
        if form == "positive":
            return 0.5 * row / x**2 + np.log(1 + x**2)
        return 0.5 * np.exp(-x) * row + 0.5 * x

    for t, row in enumerate(losses):
        expected.append(0.5 / noise**2 if form == "positive" else 0.5 * np.exp(-noise))
        slope = (objective(noise + 1e-6, row) - objective(noise - 1e-6, row)) / 2e-6
        noise = noise - 0.1 * np.clip(slope, -1, 1) * (t + 1 >= warmup)
    check("uncertainty", expected, history(), form=form, learning_rate=0.1, warmup=warmup)


@pytest.mark.parametrize("warmup", [1, 6])
def test_imtl_l_descends_its_objective(warmup: int) -> None:
    losses, expected, s = history().astype("float64"), [], np.zeros(3)
    for t, row in enumerate(losses):
        expected.append(np.exp(s))
        s = s - 0.1 * np.clip(np.exp(s) * row - 1, -1, 1) * (t + 1 >= warmup)
    check("imtl_l", expected, history(), learning_rate=0.1, warmup=warmup)


@pytest.mark.parametrize(("name", "factor"), [("uncertainty", 0.5), ("imtl_l", 1.0)])
def test_learned_scales_end_at_the_inverse_of_the_loss(name: str, factor: float) -> None:
    losses = np.tile([0.05, 1.0, 40.0], (300, 1))
    weights = weighting.replay(name, losses, warmup=1, total=None, learning_rate=0.1)[-1]
    np.testing.assert_allclose(weights, factor / losses[0], rtol=1e-2)
    # After a spike of one row they are off by one bounded step only.
    losses[-2] *= 1e6
    spiked = weighting.replay(name, losses, warmup=1, total=None, learning_rate=0.1)[-1]
    np.testing.assert_allclose(spiked, weights, rtol=0.12)


@pytest.mark.parametrize("warmup", [1, 6])
def test_famo(warmup: int) -> None:
    """Adam of Kingma & Ba on the logits, weight decay added to the gradient."""
    losses, expected = history().astype("float64"), []
    xi, m, v, moves = np.zeros(3), np.zeros(3), np.zeros(3), 0
    for t, row in enumerate(losses):
        if t >= max(1, warmup - 1):
            z, fell = softmax(xi), np.log(losses[t - 1]) - np.log(row)
            g = (np.diag(z) - np.outer(z, z)) @ fell + 0.01 * xi
            moves += 1
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            xi = xi - 0.05 * (m / (1 - 0.9**moves)) / (np.sqrt(v / (1 - 0.999**moves)) + 1e-8)
        w = softmax(xi) / row
        expected.append(w / w.sum() if t + 1 >= warmup else np.full(3, 1 / 3))
    check("famo", expected, history(), rtol=2e-4, learning_rate=0.05, weight_decay=0.01, warmup=warmup)


def test_famo_favours_the_loss_that_falls_less() -> None:
    t = np.arange(60)[:, None]
    losses = np.exp(-t * np.array([[0.05, 0.01]]))
    weights = weighting.replay("famo", losses, warmup=1)
    z = weights * losses  # softmax(xi), up to a factor
    z = z / z.sum(axis=1, keepdims=True)
    assert z[-1, 1] > 0.7


def test_geometric_makes_all_weighted_losses_equal() -> None:
    losses = history()
    weights = weighting.replay("geometric", losses, warmup=1, total=None)
    expected = np.prod(losses, axis=1, dtype="float64") ** (1 / 3) / 3
    np.testing.assert_allclose(weights * losses, np.repeat(expected[:, None], 3, axis=1), rtol=1e-5)


@pytest.mark.parametrize("ideal", [0.0, [0.1, 0.2, 0.3]])
def test_stch_is_the_gradient_of_the_smooth_maximum(ideal) -> None:
    losses, z = history(6).astype("float64"), np.asarray(ideal)

    def smooth(row: np.ndarray) -> float:
        return 0.2 * np.log(np.sum(np.exp((row - z) / 3 / 0.2)))

    expected = [[(smooth(row + d) - smooth(row - d)) / 2e-6 for d in 1e-6 * np.eye(3)] for row in losses]
    check("stch", expected, history(6), mu=0.2, ideal=ideal, warmup=1)


def norms(seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1e-4, 1e-2, (24, 3)).astype("float32")


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("warmup", [1, 7])
def test_gradnorm(warmup: int, every: int) -> None:
    losses, norm = history().astype("float64"), norms().astype("float64")
    expected, w = [], np.ones(3)
    for t in range(24):
        if t % every == 0 and t + 1 >= warmup:
            size = w * norm[t]
            rate = losses[t] / losses[0]
            target = size.mean() * (rate / rate.mean()) ** 1.5
            w = np.maximum(w - 0.1 * np.sign(size - target) * norm[t] / norm[t].mean(), 1e-3)
            w = 3 * w / w.sum()
        expected.append(w)
    params = {"learning_rate": 0.1, "every": every, "warmup": warmup}
    check("gradnorm", expected, history(), gradients={"norm": norms()}, **params)


def test_gradnorm_with_alpha_0_makes_gradients_equally_long() -> None:
    norm = np.tile([1e-3, 1e-3, 4e-3], (150, 1))
    weights = weighting.replay(
        "gradnorm", np.ones((150, 3)), gradients={"norm": norm}, alpha=0.0, learning_rate=0.01, warmup=1
    )
    sizes = weights[-1] * norm[0]
    np.testing.assert_allclose(sizes, sizes.mean(), rtol=0.05)


@pytest.mark.parametrize(("form", "reference"), [("mean", 0), ("mean", 2), ("max", 1)])
def test_lr_annealing(form: str, reference: int) -> None:
    mean, peak = norms().astype("float64"), norms(6).astype("float64")
    expected, w, others = [], np.ones(3), np.arange(3) != reference
    for t in range(24):
        if t + 1 >= 3:
            ratio = mean[t, reference] / mean[t] if form == "mean" else peak[t, reference] / (w * mean[t])
            w = np.where(others, 0.8 * w + 0.2 * ratio, w)
        expected.append(w)
    recorded = {"mean_abs": norms(), "max_abs": norms(6)}
    params = {"form": form, "reference_term": reference, "alpha": 0.2, "warmup": 3}
    check("lr_annealing", expected, history(), gradients=recorded, **params)


def test_lr_annealing_holds_where_a_gradient_is_0() -> None:
    mean = np.ones((6, 3), "float32")
    mean[2:4, 1], mean[4:, 0] = 0.0, 0.0  # first a term's, then that of the reference
    mean[:, 2] = 0.5
    recorded = {"mean_abs": mean, "max_abs": mean}
    weights = weighting.replay(
        "lr_annealing", np.ones((6, 3)), gradients=recorded, alpha=0.5, warmup=1, total=None
    )
    np.testing.assert_allclose(weights[:, 0], 1.0)
    np.testing.assert_allclose(weights[:, 1], 1.0)
    np.testing.assert_allclose(weights[:, 2], [1.5, 1.75, 1.875, 1.9375, 1.9375, 1.9375])


def test_what_cov_remembers_where_nothing_moves_any_more() -> None:
    generator = np.random.default_rng(0)
    lively = 1.0 + generator.random((200, 2)) * [0.5, 0.05]
    losses = np.concatenate([lively, np.tile([1.2, 1.0], (3000, 1))])
    for decay, after, expected in ((None, 3000, 0.85), (0.9, 200, 0.5), (0.99, 3000, 0.5)):
        weights = weighting.replay("cov", losses, warmup=1, decay=decay)[:, 0]
        assert weights[199] > 0.85
        assert weights[199 + after] == pytest.approx(expected, abs=0.01)


def test_relobralo_where_nothing_moves() -> None:
    for losses, expected in (([0.3, 1.0], 0.5), ([0.0, 1.0], 1 / (1 + np.e))):
        weights = weighting.replay("relobralo", np.tile(losses, (5, 1)), warmup=1)
        assert weights[-1, 0] == pytest.approx(expected, abs=1e-5)
