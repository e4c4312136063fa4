"""``replay`` against the weights that the notebook's own class gave."""

import json
from pathlib import Path

import numpy as np
import pytest

from dmf_cli import weighting

STORED = json.loads((Path(__file__).parents[1] / "golden" / "weights.json").read_text())["histories"]
TOLERANCE = {"decay": 5e-6, "noisy": 5e-6, "plateau": 1e-4}


@pytest.mark.parametrize("name", ["var", "mad", "bayes"])
@pytest.mark.parametrize("stored", STORED, ids=lambda s: s["kind"])
def test_replay_gives_the_notebooks_weights(stored: dict, name: str) -> None:
    params = {"prior_power": 1.0} if name == "bayes" else {}
    weights = weighting.replay(
        name, stored["losses"], warmup=stored["warmup"], window=stored["window"], **params
    )
    assert weights.dtype == np.float32
    assert weights.shape == np.shape(stored["losses"])
    expected = np.array(stored["weights"][name])
    # It would not do to compare a constant: the stored weights move.
    assert np.ptp(expected, axis=0).max() > 0.05
    np.testing.assert_allclose(weights[stored["rows"]], expected, rtol=0, atol=TOLERANCE[stored["kind"]])


@pytest.mark.parametrize("name", ["var", "mad", "bayes"])
def test_the_presets_are_the_notebooks(name: str) -> None:
    """Its warm-up, window and compounding prior come from the YAML file alone."""
    from dmf_cli import config

    params = config.compose([f"weighting={name}_reference"]).plain["weighting"]
    assert params.pop("name") == name
    for stored in STORED:
        if (stored["warmup"], stored["window"]) == (params["warmup"], params["window"]):
            weights = weighting.replay(name, stored["losses"], **params)
            expected = np.array(stored["weights"][name])
            np.testing.assert_allclose(
                weights[stored["rows"]], expected, rtol=0, atol=TOLERANCE[stored["kind"]]
            )
            return
    raise AssertionError("no stored history has the notebook's warm-up and window")
