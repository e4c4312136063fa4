"""FusedModel: the auxiliary loss and how it fades."""

import numpy as np
from keras import ops

from dmf_cli import Auxiliary, weighting
from tests.fusion.toys import STEPS, columns, fit, fused


def test_gamma_is_exactly_the_formula(trained) -> None:
    _, rows, _ = trained
    steps = np.arange(2 * STEPS)
    assert [row["step"] for row in rows] == steps.tolist()
    np.testing.assert_allclose([row["gamma"] for row in rows], 2.0 * np.exp(-0.5 * (steps // 3)), rtol=1e-6)
    total = (columns(rows, "loss") * columns(rows, "weight")).sum(axis=1)
    total += [row["gamma"] * row["aux"] for row in rows]
    np.testing.assert_allclose([row["loss"] for row in rows], total, rtol=1e-5)


def test_gamma_of_the_notebook() -> None:
    auxiliary = Auxiliary("cbdice", gamma0=5, decay=0.05, every=100)
    got = [float(auxiliary.gamma(ops.convert_to_tensor(k, "int32"))) for k in (0, 99, 100, 199, 200, 1000)]
    np.testing.assert_allclose(got, [5.0, 5.0, 4.7561474, 4.7561474, 4.5241871, 3.0326533], rtol=1e-6)


def test_the_auxiliary_loss_is_trained_on() -> None:
    with_it, without = (
        fused("bce", weighting.get("fixed"), Auxiliary("dice")),
        fused("bce", weighting.get("fixed")),
    )
    fit(with_it), fit(without)
    assert not np.allclose(with_it.network.get_weights()[0], without.network.get_weights()[0])
    both = fused({"bce": "bce", "dice": "dice"}, weighting.get("fixed", total=None, prior=[1, 5]))
    fit(both)
    for ours, theirs in zip(with_it.network.get_weights(), both.network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
