"""optimizer.encoder_rate and optimizer.frozen: how far a step moves which weights."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from dmf_cli import config as configs
from dmf_cli.errors import ConfigError
from dmf_cli.fusion import FusedModel
from dmf_cli.ops.backend import to_numpy
from dmf_cli.training import build, checkpoint, trainer
from tests.fusion.toys import network
from tests.raised import raises
from tests.training.conftest import TINY

OPTIMIZERS = [
    ("optimizer=adam",),
    ("optimizer=adamw", "optimizer.weight_decay=0.1"),
    ("optimizer=sgd", "optimizer.nesterov=true", "optimizer.weight_decay=0.1", "optimizer.clipnorm=1"),
]


def compiled(*words: str, net: keras.Model | None = None) -> FusedModel:
    """A network with an encoder, for a run of ten steps."""
    inputs = keras.Input((4, 4, 1))
    encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Dense(3)], name="encoder")
    head = keras.layers.Dense(2, activation="softmax")
    net = net or keras.Model(inputs, head(encoder(inputs)))
    rng = np.random.default_rng(0)
    for variable in net.trainable_variables:
        variable.assign(rng.normal(size=variable.shape).astype("float32"))
    model = FusedModel(net, "dice", "fixed")
    build.compile_model(model, configs.compose(["schedule=constant", *words]), 10, jit=False)
    return model


def stepped(model: FusedModel, steps: int) -> list[np.ndarray]:
    """The weights after steps with the same gradient, those of the encoder first."""
    variables = model.trainable_variables
    gradients = [
        ops.convert_to_tensor(np.linspace(0.5, 1.0, int(np.prod(v.shape))).reshape(v.shape).astype("float32"))
        for v in variables
    ]
    for _ in range(steps):
        if keras.backend.backend() == "jax":
            state = [v.value for v in model.optimizer.variables], gradients, [v.value for v in variables]
            after, state = model.optimizer.stateless_apply(*state)
            for variable, value in zip(
                [*variables, *model.optimizer.variables], [*after, *state], strict=True
            ):
                variable.assign(value)
        else:
            model.optimizer.apply(gradients, variables)
    return [to_numpy(v) for v in variables]


@pytest.mark.parametrize("words", OPTIMIZERS)
def test_a_step_of_the_encoder_is_the_share_of_a_whole_one_decay_included(words: tuple[str, ...]) -> None:
    start, plain = stepped(compiled(*words), 0), stepped(compiled(*words), 1)
    slow = stepped(compiled(*words, "optimizer.encoder_rate=0.25"), 1)
    for i, (old, whole, part) in enumerate(zip(start, plain, slow, strict=True)):
        assert np.all(whole != old)
        if i < 2:
            np.testing.assert_allclose(part - old, 0.25 * (whole - old), rtol=1e-3, atol=1e-6)
        else:
            np.testing.assert_array_equal(part, whole)


@pytest.mark.parametrize("words", OPTIMIZERS)
def test_not_one_bit_of_a_frozen_encoder_moves_before_its_time(words: tuple[str, ...]) -> None:
    model = compiled(*words, "optimizer.frozen=0.2", "optimizer.ema=0.5")
    start, held, later = stepped(model, 0), stepped(model, 2), stepped(model, 1)
    for old, now in zip(start[:2], held[:2], strict=True):
        assert old.tobytes() == now.tobytes()
    assert all(np.all(old != now) for old, now in zip(start[2:], held[2:], strict=True))
    assert all(np.all(old != now) for old, now in zip(held, later, strict=True))
    averages = model.optimizer.inner_optimizer._model_variables_moving_average
    expected = [0.5 * a + 0.5 * b for a, b in zip(start[:2], later[:2], strict=True)]
    for average, wanted in zip(averages[:2], expected, strict=True):
        np.testing.assert_allclose(to_numpy(average), wanted, rtol=1e-5)


@pytest.mark.usefixtures("small_encoder")
def test_the_encoder_of_a_run_moves_after_the_frozen_share_of_all_its_steps(tmp_path, monkeypatch):
    seen: dict[int, dict[str, bytes]] = {}  # after so many epochs
    save = checkpoint.save

    def look(path: Path, model: FusedModel, note: dict[str, Any], *given: Any) -> None:
        encoder = {id(variable) for variable in model.network.get_layer("encoder").variables}
        weights = seen.setdefault(note["epoch"], {"encoder": b"", "decoder": b""})
        for variable in model.trainable_variables:
            weights["encoder" if id(variable) in encoder else "decoder"] += to_numpy(variable).tobytes()
        save(path, model, note, *given)

    monkeypatch.setattr(checkpoint, "save", look)
    words = [word for word in TINY if not word.startswith("model.")]
    words += ["model=unet_encoder", "model.pretrained=false", "model.filters=4", "optimizer.frozen=0.5"]
    words += ["loss=dice", "weighting=fixed", f"run_dir={tmp_path / 'run'}", f"output_root={tmp_path}"]
    words += [f"trainer.backend={keras.backend.backend()}"]  # this file is run on others too
    trainer.train(configs.compose(words))
    assert list(seen) == [0, 1, 2]
    start, first, second = seen.values()
    assert all(start.values())
    assert start["encoder"] == first["encoder"] != second["encoder"]
    assert start["decoder"] != first["decoder"] != second["decoder"]


@pytest.mark.parametrize(("key", "value"), [("encoder_rate", 0.1), ("frozen", 0.5)])
def test_a_network_without_an_encoder_is_an_error(key: str, value: float) -> None:
    with raises(ConfigError, key=f"optimizer.{key}", value=value, hint="use model=unet_encoder"):
        compiled(f"optimizer.{key}={value}", net=network())
