"""Functions and models where names stand."""

import functools

import keras
import numpy as np
import pytest

import dmf_cli
from dmf_cli.api import object_hash, objects
from dmf_cli.cli.main import main
from dmf_cli.config import compose
from dmf_cli.errors import ConfigError, PluginError
from dmf_cli.parts import given, plugins, registry
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
    one, other = (functools.partial(squared, power=power) for power in (1.0, 3.0))
    assert ids(one) == ids(functools.partial(squared, power=1.0)) != ids(other)
    soft, hard = (keras.losses.CategoricalFocalCrossentropy(gamma=gamma) for gamma in (1.0, 2.0))
    assert ids(soft) != ids(hard)


def test_a_network_that_is_built_again_has_another_id_only_if_it_does_something_else():
    def built(activation="relu", factor=2.0, order=1, dtype="float32"):
        inputs = keras.Input((8, 8, 1))
        paths = [
            keras.layers.Conv2D(1, 3, padding="same", activation=activation, dtype=dtype, name="relu"),
            keras.layers.Conv2D(1, 3, padding="same", dtype=dtype),
        ]
        first, second = (path(inputs) for path in paths)
        made = (first - second) if order == 1 else (second - first)
        model = keras.Model(inputs, keras.layers.Lambda(lambda x: factor * x)(made))
        model.set_weights([np.full(one.shape, 0.5) for one in model.get_weights()])
        return model

    same = object_hash.of(built())
    compiled, weighed = built(), built()
    compiled.compile("adam", "mse")
    assert same == object_hash.of(built()) == object_hash.of(compiled)
    weighed.set_weights([one + 1 for one in weighed.get_weights()])
    others = [built("tanh"), built(factor=3.0), built(order=2), built(dtype="mixed_float16"), weighed]
    assert len({same, *map(object_hash.of, others)}) == 6

    def using(model):
        return lambda y_true, y_pred: model(y_pred) - model(y_true)

    assert object_hash.of(using(built())) == object_hash.of(using(built()))
    assert object_hash.of(using(built())) != object_hash.of(using(weighed))


def test_a_loss_of_keras_is_known_by_its_values_and_not_by_its_number():
    class Mine(keras.losses.Loss):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

    assert object_hash.of(Mine(1)) == object_hash.of(Mine(1)) != object_hash.of(Mine(2))


def test_a_changed_global_is_another_part_wherever_its_function_is_named():
    namespace = {"__name__": "__main__", "K": 1}
    exec("import dmf_cli\n@dmf_cli.loss\ndef celled(y_true, y_pred):\n    return K", namespace)
    exec("def plain(y_true, y_pred):\n    return K", namespace)

    def hashes(settings):
        objects.named(settings)
        config = compose(["loss=celled+plain"])
        return [config.plugins[f"object.loss.{name}"]["hash"] for name in ("celled", "plain")]

    before = hashes({"loss": {"plain": namespace["plain"]}})
    assert hashes({}) == before
    namespace["K"] = 2
    assert not set(hashes({})) & set(before)


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("loss", [lambda y_true, y_pred: 1, lambda y_true, y_pred: 2]),
        ("loss", [{"mine": squared}, {"mine": lambda y_true, y_pred: 2, "ce": "ce"}]),
        ("model", [lambda input_shape, classes: 1, lambda input_shape, classes: 2]),
        ("weighting", [type("Mine", (dmf_cli.weighting.Strategy,), {"k": k}) for k in (1, 2)]),
    ],
)
def test_one_name_is_that_of_one_object(group, values):
    with raises(ConfigError, key=group) as caught:
        objects.named({group: values})
    assert "\n" not in str(caught.value)
    assert len(objects.named({group: values[:1] * 2})[group]) == 2


def test_an_object_gives_way_to_the_lost_one_of_a_run_and_is_back_in_the_next_call(tmp_path):
    config = {"loss": {"terms": {"mine": {"old": 3}}}}
    objects.named({"loss": {"mine": squared}})
    plugin = plugins.active()[-1]
    for hash in ("of a run", "of another run"):
        given.absent(tmp_path, plugin.name, hash, config)
        assert plugins.active()[-1].hash == hash
        assert registry.definition("loss", "mine").defaults == {"old": 3}
        with raises(PluginError, key="loss", value="mine"):
            registry.find("loss", "mine")
    objects.named({})
    assert registry.find("loss", "mine") is squared
    assert plugins.active()[-1].hash == plugin.hash
    assert registry.definition("loss", "mine").defaults == {"power": 2.0}
    objects.named({"loss": {"mine": lambda y_true, y_pred: 1}})
    assert registry.find("loss", "mine") is not squared


MANGLED = [
    None,
    "text",
    3,
    ["text"],
    {"terms": "text"},
    {"terms": {"mine": 1}},
    {"own": {"mine": [1]}},
    {2: 3},
]


@pytest.mark.parametrize("kind", ["loss", "metric", "model"])
@pytest.mark.parametrize("values", MANGLED)
def test_a_mangled_config_has_objects_without_parameters(kind, values, tmp_path):
    given.absent(tmp_path, f"object.{kind}.mine", "hash", {})
    given.absent(tmp_path, f"object.{kind}.mine", "hash", dict.fromkeys(("loss", "metrics", "model"), values))
    assert set(registry.definition(kind, "mine").parameters) <= {"terms", "own"}


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


def test_a_model_in_a_mapping_keeps_what_the_user_says_of_it():
    assert objects.named({"model": {"name": network()}})["model.head"] == "sigmoid"
    made = objects.named({"model": {"name": network(), "head": "softmax"}})
    assert made == {"model": {"name": "small", "head": "softmax"}}


def test_what_a_cell_has_decorated_is_known_by_its_name():
    namespace = {"__name__": "__main__"}
    exec("import dmf_cli\n@dmf_cli.loss\ndef celled(y_true, y_pred, *, a=1.0):\n    return a", namespace)
    objects.named({})
    config = compose(["loss=celled+ce", "loss.terms.celled.a=2"])
    assert config.loss.terms["celled"] == {"a": 2}
    exec("@dmf_cli.loss\ndef celled(y_true, y_pred, *, b=3):\n    return b", namespace)  # the cell again
    objects.named({})
    assert compose(["loss=celled"]).loss.terms["celled"] == {"b": 3}


def test_metrics_and_strategies_of_a_cell_have_their_parameters():
    code = """
import dmf_cli

@dmf_cli.metric(better="low")
def missed(truth, prediction, *, least=1):
    return float((truth & ~prediction).sum() > least)

@dmf_cli.strategy
class Lazy(dmf_cli.weighting.Strategy):
    def __init__(self, *, pace=2.0, **common):
        super().__init__(**common)
"""
    exec(code, {"__name__": "__main__"})
    objects.named({})
    config = compose(
        ["metrics=default+missed", "metrics.own.missed.least=3", "weighting=Lazy", "weighting.pace=4"]
    )
    assert config.plain["metrics"]["own"] == {"missed": {"least": 3}}
    assert (config.weighting.params["pace"], "floor" in config.weighting.params) == (4, True)
    assert registry.definition("metric", "missed").options == {"better": "low"}


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
        ({"model": keras.Sequential([keras.layers.Conv2D(1, 1)])}, ConfigError, {"key": "model"}),
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
