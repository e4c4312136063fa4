"""Each strategy against numbers that other people's implementations gave.

Where the original's weights have another sum, ours are compared with ``total=None``, which keeps it.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from dmf_cli import weighting
from dmf_cli.weighting import _generator, _gradnorm, _memory, _ordered, _softadapt

STORED = json.loads((Path(__file__).parents[1] / "golden" / "weighting_peers.json").read_text())["vectors"]
VECTORS = {vector["id"]: vector for vector in STORED}
FAMILIES: set[str] = set()


def vector(name: str) -> dict:
    return VECTORS[name]


def ids(start: str, *but: str) -> list[str]:
    found = [name for name in VECTORS if name.startswith(start) and name not in but]
    FAMILIES.update(found)
    return found


def close(got, name: str, expected, at_least: float = 0.0) -> None:
    rtol = max(VECTORS[name]["rtol"], at_least)
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=rtol, atol=1e-9, err_msg=name)


def tensor(values) -> object:
    return ops.convert_to_tensor(np.asarray(values, dtype="float32"))


def adapted(strategy: weighting.Strategy, losses, **state) -> tuple[dict, np.ndarray]:
    """One update with ``state`` put in: what the memory is afterwards, and the weights."""
    start = strategy.init(len(losses)) | {key: tensor(value) for key, value in state.items()}
    new, weights = strategy.update(start, tensor(losses))
    return {key: ops.convert_to_numpy(value) for key, value in new.items()}, ops.convert_to_numpy(weights)


MEDIANS, MINMAX = ids("dmf.median"), ids("dmf.minmax")
BY_SLOPES = ids("softadapt", "softadapt.fd.forward_at_oldest", "softadapt.rbischof")


@pytest.mark.parametrize("name", BY_SLOPES)
def test_softadapt(name: str) -> None:
    """Histories as a whole; the slope where the original takes it, the sum with its sign."""
    found = vector(name)
    history = np.array(found["inputs"]["histories"]).T
    weights = weighting.replay(
        "softadapt",
        history,
        variant=name.split(".")[1],
        beta=found["params"]["beta"],
        accuracy_order=found["params"]["accuracy_order"],
        slope="oldest",
        reference=True,
        window=max(2, len(history)),
        warmup=1,
    )
    expected = found["expected"]["weights"] if isinstance(found["expected"], dict) else found["expected"]
    # Slopes of 500 have an error of 3e-5 in float32, a weight of exp(-49) one of 49 roundings.
    close(weights[-1], name, expected, 2e-5)


def test_softadapt_rates() -> None:
    for name in BY_SLOPES:
        found = vector(name)
        if isinstance(found["expected"], dict):
            history = np.array(found["inputs"]["histories"], dtype="float32").T
            factors = _softadapt.coefficients(len(history) - 1)[-1]
            close(factors @ history, name, found["expected"]["rates"], 1e-4)
    found = vector("softadapt.fd.forward_at_oldest")
    close(_softadapt.coefficients(5)[5] @ found["inputs"]["history"], found["id"], found["expected"])


def test_softadapt_smoothed() -> None:
    """Differences of one step, beta 1; a moving average that begins with softmax(L), as after a row of 0."""
    found = vector("softadapt.rbischof")
    common = {
        "variant": "original",
        "beta": 1.0,
        "accuracy_order": 1,
        "slope": "oldest",
        "window": 2,
        "warmup": 1,
    }
    first = weighting.get("softadapt", total=3.0, **common)
    smoothed = weighting.get("softadapt", total=3.0, smoothing=0.999, **common)
    state, _ = first.update(first.init(3), tensor([0.0, 0.0, 0.0]))
    for step, row in enumerate(found["inputs"]["losses"]):
        state, weights = (smoothed if step else first).update(state, tensor(row))
        close(ops.convert_to_numpy(weights), found["id"], found["expected"][step]["lam"])


@pytest.mark.parametrize("name", ids("cov."))
def test_cov(name: str) -> None:
    found = vector(name)
    weights = weighting.replay("cov", found["inputs"]["losses"], warmup=1)
    close(weights, name, found["expected"]["weights"], 5e-5 if "constant" in name else 2e-5)


def test_dwa() -> None:
    found = vector("dwa.torchjd")
    weights = weighting.replay(
        "dwa", found["inputs"]["losses"], steps_per_epoch=2, temperature=2.0, warmup=1, total=None
    )
    close(weights, found["id"], [row["weights"] for row in found["expected"]])


@pytest.mark.parametrize(
    ("name", "params", "key"),
    [
        ("relobralo.modulus.beta1", {"alpha": 0.95, "jump": False}, "lmbda_ema"),
        ("relobralo.rbischof.rho1", {"alpha": 0.999, "jump": True}, "lam"),
    ],
)
def test_relobralo(name: str, params: dict, key: str) -> None:
    found = vector(name)
    weights = weighting.replay("relobralo", found["inputs"]["losses"], warmup=1, total=None, **params)
    close(weights, name, [row[key] for row in found["expected"]])


@pytest.mark.parametrize("name", ids("uw."))
def test_uncertainty(name: str) -> None:
    """One step of length 1 from the given s moves it by the gradient; one peer has twice the sum."""
    found, scale = vector(name), 2.0 if name == "uw.cov_repo" else 1.0
    strategy = weighting.get("uncertainty", warmup=1, learning_rate=1.0, total=None)
    s, losses = np.array(found["params"]["log_var"]), np.array(found["inputs"]["losses"])
    state, weights = adapted(strategy, losses, noise=s)
    close(scale * (s - state["noise"]), name, found["expected"]["grad_log_var"], 1e-5)
    close(scale * np.sum(weights * losses + 0.5 * s), name, found["expected"]["loss"])
    if "weights" in found["expected"]:
        close(weights, name, found["expected"]["weights"])


def test_imtl_l() -> None:
    found = vector("imtl_l.torchjd")
    strategy = weighting.get("imtl_l", warmup=1, learning_rate=1.0, total=None)
    s, losses = np.array(found["params"]["log_scale"]), np.array(found["inputs"]["losses"])
    state, weights = adapted(strategy, losses, scale=s)
    close(weights, found["id"], found["expected"]["weights"])
    close(s - state["scale"], found["id"], found["expected"]["grad"])
    close(np.sum(weights * losses - s), found["id"], found["expected"]["loss"])


@pytest.mark.parametrize(
    ("name", "key"), [("geometric_mean.torchjd", "weights"), ("gls.libmtl", "grad_losses")]
)
def test_geometric(name: str, key: str) -> None:
    found = vector(name)
    losses = found["inputs"]["losses"]
    weights = weighting.replay("geometric", [losses], warmup=1, total=None)[0]
    close(weights, name, found["expected"][key])
    if "loss" in found["expected"]:  # w_i L_i is the N-th part of the objective
        close(weights * losses * 3, name, [found["expected"]["loss"]] * 3)


def test_stch() -> None:
    found = vector("stch.torchjd.mu0.1")
    weights = weighting.replay("stch", [found["inputs"]["losses"]], mu=0.1, warmup=1, total=None)[0]
    close(weights, found["id"], found["expected"]["weights"])


def test_random(monkeypatch: pytest.MonkeyPatch) -> None:
    found = vector("rlw.libmtl")
    draw = tensor(found["inputs"]["normal_draw"])
    monkeypatch.setattr(_generator, "normal", lambda seed, counter, lanes: draw)
    weights = weighting.replay("random", [found["inputs"]["losses"]], warmup=1)[0]
    close(weights, found["id"], found["expected"]["weights"])


def test_gradnorm() -> None:
    """Gradient of the published sum over terms (a mean has 1/N of it), and the step that we take with it."""
    found = vector("gradnorm.alpha0.12")
    given, expected = found["inputs"], found["expected"]
    progress = np.array(given["losses"]) / np.array(given["initial_losses"])
    norm, w = np.array(given["per_loss_grad_norm"]), np.array(given["w"])
    slope = _gradnorm.norm_slope(tensor(w), tensor(norm), tensor(progress), 0.12)
    close(ops.convert_to_numpy(slope), found["id"], expected["grad_w_sum"])
    close(ops.convert_to_numpy(slope) / 3, found["id"], expected["grad_w_mean"])
    strategy = weighting.get("gradnorm", alpha=0.12, warmup=1, learning_rate=0.1, total=None)
    state = strategy.init(3) | {"first": tensor(given["initial_losses"])}
    state["stored"] = state["stored"] + 1
    weights = strategy.update(state, tensor(given["losses"]), {"norm": tensor(norm)})[1]
    moved = w - 0.1 * np.array(expected["grad_w_sum"]) / norm.mean()
    close(ops.convert_to_numpy(weights), found["id"], 3 * moved / moved.sum())


@pytest.mark.parametrize("method", ["var", "mad", "bayes"])
def test_memory(method: str) -> None:
    name = f"dmf.{method}.corrected"
    found, losses = vector(name), vector("dmf.var.corrected")["inputs"]["losses"]
    params = {"prior_power": 1.0} if method == "bayes" else {}
    weights = weighting.replay(method, losses, warmup=30, window=90, **params)
    close(weights[found["expected"]["first_index"] :], name, found["expected"]["weights"], 1e-4)


def test_statistics() -> None:
    for name in MEDIANS:
        found = vector(name)
        row, count = tensor([sorted(found["inputs"]["x"])]), len(found["inputs"]["x"])
        middle = _ordered.median(row, ops.convert_to_tensor(count, dtype="int32"))
        assert float(middle[0, 0]) == found["expected"]["correct"]
    found = vector("dmf.symlog")
    x = tensor(found["inputs"]["x"])
    close(
        ops.convert_to_numpy(_memory.symlog_difference(x, 0.0 * x)), found["id"], found["expected"]["forward"]
    )
    for name in MINMAX:
        found = vector(name)
        # Our min-max comes with the symlog before it: its inverse is put in.
        row = tensor([np.expm1(found["inputs"]["x"])])
        scaled = _memory.scale(row, ops.min(row, axis=1), ops.max(row, axis=1))
        close(ops.convert_to_numpy(scaled)[0], name, found["expected"])


def test_no_vector_is_left_out() -> None:
    text = Path(__file__).read_text()
    FAMILIES.update(f"dmf.{method}.corrected" for method in ("var", "mad", "bayes"))
    assert [name for name in VECTORS if name not in FAMILIES and f'"{name}"' not in text] == []
