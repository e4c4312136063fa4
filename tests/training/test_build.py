import keras
import numpy as np
import pytest

from dmf_cli import conf_files
from dmf_cli import config as configs
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError
from dmf_cli.ops import backend
from dmf_cli.training import build
from tests.raised import raises


@pytest.mark.parametrize(("steps", "expected"), [(1000, 50), (100, 20), (7, 1)])
def test_automatic_warmup_is_a_fifth_of_the_run_and_at_most_50(steps, expected):
    assert build.warmup("auto", steps) == expected


@pytest.mark.parametrize("steps", [10, 5, 1])
def test_a_run_that_ends_inside_its_warmup_is_an_error(steps):
    with raises(ConfigError, key="weighting.warmup", hint="warmup=auto"):
        build.warmup(10, steps)


def test_a_run_that_is_too_short_for_any_warmup_is_not_sent_to_the_automatic_one():
    with raises(ConfigError, what="the run has 1 step(s)", hint="or use weighting=fixed"):
        build.warmup("auto", 1)


@pytest.mark.parametrize("wanted", ["soon", 2.5, True, None])
def test_warmup_is_a_number_of_steps_or_auto(wanted):
    with raises(ConfigError, key="weighting.warmup", allowed="a number of steps, or auto"):
        build.warmup(wanted, 100)


@pytest.mark.parametrize(("wanted", "steps", "epochs"), [("auto", 35, 18), ("auto", 17, 36), (3, 17, 3)])
def test_automatic_epochs_give_a_small_dataset_steps_enough(wanted, steps, epochs):
    trainer = configs.compose([f"trainer.epochs={wanted}"]).plain["trainer"]
    found = build.with_epochs(Config({"trainer": trainer, "seed": 1}), steps)
    assert found.plain == {"trainer": {**trainer, "epochs": epochs}, "seed": 1}
    assert found.epochs == epochs


def test_epochs_that_are_not_counted_yet_are_no_number():
    with raises(ConfigError, key="trainer.epochs", value="auto"):
        _ = configs.compose().epochs


def strategy(group, steps, known=None, prior=(1.0, 1.0)):
    return build.strategy(Config({"weighting": group}).weighting, list(prior), steps, known)


def test_coefficients_reach_the_strategy():
    found = strategy({"name": "fixed", "total": 1.0}, 10, prior=(1.0, 3.0))
    assert found.init(2)["weights"].numpy().tolist() == [0.25, 0.75]


DWA = {"name": "dwa", "warmup": "auto", "steps_per_epoch": None}


def test_what_a_strategy_needs_from_the_run_is_filled_in_where_it_is_open():
    known = {"steps_per_epoch": 7, "seed": 3}
    assert strategy(DWA, 100, known).steps_per_epoch == 7
    assert strategy({**DWA, "steps_per_epoch": 9}, 100, known).steps_per_epoch == 9
    relobralo = {"name": "relobralo", "warmup": 5, "seed": None, "rho": 0.5}
    assert strategy(relobralo, 100, known).seed == 3
    assert strategy({"name": "var", "warmup": 5}, 100, known).warmup == 5


@pytest.mark.parametrize(
    ("group", "idle"), [(DWA, 14), ({"name": "geometric", "warmup": 3, "every": 20}, 20)]
)
def test_a_run_in_which_the_weights_would_never_change_is_an_error(group, idle):
    with raises(ConfigError, key="weighting", what=f"keeps its first weights for {idle}"):
        strategy(group, idle, {"steps_per_epoch": 7})
    assert strategy(group, idle + 1, {"steps_per_epoch": 7}).idle_steps == idle


def rates(group, peak, total, steps):
    schedule = build.learning_rate(Config({"schedule": group}).schedule, peak, total)
    return [float(keras.ops.convert_to_numpy(schedule(step))) for step in steps]


def test_warmup_schedule_rises_to_the_peak_and_stays():
    values = rates({"name": "warmup", "warmup": 0.1}, 0.01, 100, [0, 5, 10, 50, 100])
    assert values == pytest.approx([0.0, 0.005, 0.01, 0.01, 0.01], rel=1e-5)


def test_cosine_schedule_falls_to_its_final_share():
    values = rates({"name": "cosine", "warmup": 0.0, "final": 0.1}, 0.01, 100, [0, 50, 100])
    assert values == pytest.approx([0.01, 0.0055, 0.001], rel=1e-4)


def test_poly_schedule_falls_to_nothing():
    values = rates({"name": "poly", "exponent": 0.9}, 0.01, 100, [0, 50, 99, 100])
    assert values == pytest.approx([0.01, 0.01 * 0.5**0.9, 0.01 * 0.01**0.9, 0.0], rel=1e-4)


@pytest.mark.parametrize("name", conf_files.options("optimizer"))
def test_an_optimizer_is_the_class_of_keras_with_its_name(name):
    kind, params = build.optimizer(configs.compose([f"optimizer={name}"]).optimizer, 1e-3)
    made = kind(**params)
    assert isinstance(made, keras.optimizers.Optimizer)
    assert type(made).__name__.lower() == name


def applied(optimizer, start, gradients):
    """The values after these gradients, the way that a compiled step takes: JAX has no state of its own."""
    variable = keras.Variable(np.array(start, "float32"))
    optimizer.build([variable])
    values, state = [keras.ops.copy(variable.value)], [keras.ops.copy(v.value) for v in optimizer.variables]
    step = backend.compiled(optimizer.stateless_apply)
    for gradient in map(keras.ops.convert_to_tensor, np.array(gradients, "float32")):
        if keras.backend.backend() == "jax":
            values, state = step(state, [gradient], values)
        else:
            optimizer.apply([gradient], [variable])
    return keras.ops.convert_to_numpy(values[0] if keras.backend.backend() == "jax" else variable.value)


def test_skipped_steps_leave_no_trace_however_many_they_are():
    broken, good = [[np.nan, 1.0]] * 200, [[0.3, 1e-30]] * 2
    plain = applied(keras.optimizers.Adam(0.5), [1.0, -2.0], good)
    assert plain[0] < 0.5
    skipped = applied(build.Skipping(keras.optimizers.Adam(0.5)), [1.0, -2.0], [*broken, *good])
    np.testing.assert_array_equal(skipped, plain)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "poly", "warmup", "plateau"])
def test_a_whole_number_is_a_learning_rate(schedule):
    config = configs.compose([f"schedule={schedule}", "optimizer=sgd", "optimizer.learning_rate=2"])
    rate = build.learning_rate(config.schedule, config.optimizer.learning_rate, 100)
    kind, params = build.optimizer(config.optimizer, rate)
    assert float(kind(**params).learning_rate) <= 2.0
