"""FusedModel: what survives saving."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from dmf_cli import Auxiliary, fuse, losses
from dmf_cli._registration import MODULES, PACKAGE
from dmf_cli.fusion import FusedModel
from dmf_cli.metrics import ForegroundDice
from tests.fusion.toys import TERMS, X, fit, fused, network, strategy


def same_memory(a: FusedModel, b: FusedModel) -> None:
    assert a.memory.keys() == b.memory.keys()
    for key, value in a.memory.items():
        assert value.dtype == b.memory[key].dtype, key
        np.testing.assert_array_equal(value, b.memory[key], err_msg=key)


@pytest.mark.parametrize("name", ["var", "bayes"])
def test_saved_weights_carry_the_memory_and_training_goes_on(name: str, tmp_path: Path) -> None:
    whole, first, second = (fused(weights=strategy(name)) for _ in range(3))
    fit(whole, 2)
    fit(first, 1)
    first.save_weights(tmp_path / "half.weights.h5")
    second.network.set_weights(network(seed=1).get_weights())
    second.load_weights(tmp_path / "half.weights.h5")
    same_memory(first, second)
    fit(second, 1)
    same_memory(whole, second)
    for a, b in zip(whole.network.get_weights(), second.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_keras_file_carries_everything_and_training_goes_on(tmp_path: Path) -> None:
    terms = {"d": losses.get("dice", pool="batch"), "b": "bce", "c": "cbdice"}
    options = {
        "weights": strategy("bayes", prior=[1, 2, 1], total=3.0, prior_power=0.25),
        "auxiliary": Auxiliary(losses.get("iou", smooth=1.0), gamma0=1.0, decay=0.1, every=2),
    }
    whole, model = (fused(terms, optimizer=keras.optimizers.Adam(0.01), **options) for _ in range(2))
    fit(whole, 2)
    fit(model, 1)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again, FusedModel)
    assert again.terms == ("d", "b", "c")
    assert json.loads(json.dumps(again.get_config())) == json.loads(json.dumps(model.get_config()))
    same_memory(model, again)
    np.testing.assert_array_equal(model.predict(X, verbose=0), again.predict(X, verbose=0))
    logs, expected = fit(again, 1), fit(model, 1)
    assert logs == expected
    same_memory(whole, again)


# The first import of our package brings in nothing slow: the backend may be chosen after it.
FIRST = "import sys, dmf_cli; assert not {'keras', 'numpy', 'hydra'} & set(sys.modules); import keras"


@pytest.mark.parametrize("imports", [FIRST, "import keras, dmf_cli"])
def test_a_keras_file_loads_in_a_new_process(imports: str, tmp_path: Path) -> None:
    model = fuse(network(), TERMS, "var")
    model.compile("sgd", metrics=[ForegroundDice()])
    fit(model)
    model.save(tmp_path / "model.keras")
    code = f"""
{imports}
model = keras.models.load_model({str(tmp_path / "model.keras")!r})
from dmf_cli import FusedModel
assert isinstance(model, FusedModel)
x, y = keras.ops.ones((1, 8, 8, 1)), keras.ops.ones((1, 8, 8, 2)) / 2
assert "foreground_dice" in model.evaluate(x, y, verbose=0, return_dict=True)
print(model.terms)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().splitlines()[-1] == "('dice', 'bce')"


def test_keras_knows_every_class_of_ours_by_its_stand_in() -> None:
    ours = {name for name in keras.saving.get_custom_objects() if name.startswith(f"{PACKAGE}>")}
    assert ours == {f"{PACKAGE}>{name}" for name in MODULES}


def test_the_network_inside_is_deployed_alone(tmp_path: Path) -> None:
    model = fused()
    fit(model)
    model.network.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_config_builds_a_model_that_records_the_same() -> None:
    again = FusedModel.from_config(fused(insight_every=4).get_config())
    assert (again.recorder.capacity, again.insight_every, again.insight.capacity) == (99, 4, 25)
    assert FusedModel.from_config(fuse(network(), TERMS).get_config()).recorder is None
