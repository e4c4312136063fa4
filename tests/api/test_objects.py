"""Functions and models where names stand."""

import keras
import numpy as np
import pytest

import dmf_cli
from dmf_cli.api import objects
from dmf_cli.cli.main import main
from dmf_cli.config import compose
from dmf_cli.errors import ConfigError, PluginError
from dmf_cli.parts import given, plugins
from dmf_cli.run_folder import identity
from tests.api.conftest import TINY, squared
from tests.raised import raises


def network(size=32, classes=1):
    last = keras.layers.Conv2D(
        classes, 3, padding="same", activation="sigmoid" if classes == 1 else "softmax"
    )
    return keras.Sequential([keras.Input((size, size, 1)), last], name="small")


def test_the_config_the_id_and_the_report_know_an_object_by_its_name(run):
    assert run.config.loss.expression == "squared+ce"
    assert run.config.loss.terms["squared"] == {"power": 1.5}
    assert run.config.plugins["object.loss.squared"]["path"] == "<loss squared>"
    assert not (run.path / "plugins").exists()
    assert "squared" in run.report().read_text()


def test_what_an_object_does_decides_the_id():
    def ids(function):
        return identity.run_id(compose(["loss=" + objects.named({"loss": {"mine": function}})["loss"]]))

    def made(factor):
        return lambda y_true, y_pred: factor * (y_true - y_pred).mean()

    assert ids(made(1.0)) == ids(made(1.0)) != ids(made(2.0))


def test_a_keras_model_is_trained_as_a_copy(tmp_path):
    model = network()
    before = model.get_weights()
    runs = dmf_cli.sweep(loss=[squared, "ce"], output_root=tmp_path, **{**TINY, "model": model})
    assert len(runs) == 2
    assert [run.config.model.head for run in runs] == ["sigmoid"] * 2
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert runs[0].network.name == "small"
    assert any((a != b).any() for a, b in zip(runs[0].network.get_weights(), before, strict=True))


def test_what_a_cell_has_decorated_is_known_by_its_name():
    namespace = {"__name__": "__main__"}
    exec("import dmf_cli\n@dmf_cli.loss\ndef celled(y_true, y_pred, *, a=1.0):\n    return a", namespace)
    objects.named({})
    config = compose(["loss=celled+ce", "loss.terms.celled.a=2"])
    assert config.loss.terms["celled"] == {"a": 2}
    exec("@dmf_cli.loss\ndef celled(y_true, y_pred, *, b=3):\n    return b", namespace)  # the cell again
    objects.named({})
    assert compose(["loss=celled"]).loss.terms["celled"] == {"b": 3}


@pytest.mark.parametrize(
    ("settings", "kind", "fields"),
    [
        ({"loss": lambda a: a}, PluginError, {"key": "loss"}),
        ({"loss": {"dice": squared}}, PluginError, {"key": "loss", "value": "dice"}),
        ({"loss": {"my loss": squared}}, PluginError, {"key": "loss", "value": "my loss"}),
        ({"loss": {"d": "dice"}}, ConfigError, {"key": "loss['d']", "value": "dice"}),
        ({"model": lambda shape: None}, PluginError, {"key": "model"}),
        ({"model": network(16)}, ConfigError, {"key": "model"}),
        ({"model": network(classes=3)}, ConfigError, {"key": "model"}),
        ({"loss": "ce", "backend": "jax"}, ConfigError, {"key": "trainer.backend", "value": "jax"}),
    ],
)
def test_a_wrong_object_is_one_line_and_leaves_nothing(settings, kind, fields, tmp_path):
    with raises(kind, **fields) as caught:
        dmf_cli.train(run_dir=tmp_path / "run", **{**TINY, **settings})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_needs_a_default_that_a_config_holds():
    def wrong(y_true, y_pred, *, weights=keras):
        return 0

    with raises(PluginError, key="loss"):
        objects.named({"loss": wrong})


def test_what_takes_the_place_of_a_function_by_its_call_is_a_loss():
    name = objects.named({"loss": keras.losses.CategoricalFocalCrossentropy(gamma=3.0)})["loss"]
    assert given.find("loss", name)
    value = dmf_cli.losses.get(name)(np.eye(2)[None], np.full((1, 2, 2), 0.5))
    assert float(np.mean(value)) > 0


def test_a_search_needs_files():
    with raises(ConfigError, key="loss"):
        dmf_cli.tune(loss={"mine": squared, "ce": "ce"})


def test_a_damaged_name_in_a_run_is_no_object(run, tmp_path, capsys):
    assert [given.is_given(name) for name in ("object.loss.a", "object.los.a", "object.loss", "my")] == [
        True, False, False, False,
    ]  # fmt: skip
    assert main(["eval", str(tmp_path)]) == 2
    assert plugins.active() == []
