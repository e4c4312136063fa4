"""``trainer.precision=auto``: what is tried, what is chosen, and which run follows."""

import dataclasses
import json
import math
import time
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from dmf_cli import machine, runtime
from dmf_cli.errors import RunError
from dmf_cli.run_folder import stored_config
from dmf_cli.training import precision, trainer

BRAIN, HALF, FULL = precision.BRAIN, precision.HALF, precision.FULL
CPU = runtime.Runtime("tensorflow", "cpu", ("cpu:0",), FULL, jit=False, deterministic=False)
GPU = dataclasses.replace(CPU, device="gpu:0", devices=("gpu:0",))
SMALL = ("dataset.size=16", "dataset.image_size=16", "dataset.count=16", "model.depth=1", "trainer.epochs=1")


@pytest.mark.parametrize(
    ("ratios", "chosen"),
    [
        ([0.8] * 7, BRAIN),
        ([0.94] * 7, BRAIN),
        ([0.96] * 7, FULL),
        ([2.0] * 7, FULL),
        ([0.8] * 6 + [1.2], BRAIN),  # one round was disturbed
        ([0.8] * 5 + [1.2] * 2, FULL),  # all of them are, or nothing is faster
    ],
)
def test_a_lower_precision_is_taken_where_it_is_clearly_faster(ratios, chosen):
    full = [0.2, 0.4, 0.2, 0.2, 0.3, 0.2, 0.2]  # the machine is slower for a while
    found = precision.choice(BRAIN, {FULL: full, BRAIN: [r * t for r, t in zip(ratios, full, strict=True)]})
    assert found.precision == chosen
    assert found.seconds[FULL] == 0.2


@pytest.mark.parametrize(
    ("started", "capability", "bfloat16", "expected"),
    [
        (CPU, None, True, BRAIN),
        (CPU, None, False, ""),
        (GPU, (9, 0), False, BRAIN),
        (GPU, (8, 0), False, BRAIN),
        (GPU, (7, 5), True, HALF),
        (GPU, (0, 0), True, HALF),
    ],
)
def test_which_precision_a_device_may_be_faster_in(monkeypatch, started, capability, bfloat16, expected):
    monkeypatch.setattr(runtime, "compute_capability", lambda backend: capability)
    monkeypatch.setattr(machine, "has_bfloat16", lambda: bfloat16)
    assert precision.lower(started) == expected


def test_each_backend_says_how_new_its_gpu_is(monkeypatch):
    details = {"first": {"compute_capability": (8, 9)}, "amd": {}}
    config = SimpleNamespace(
        list_physical_devices=lambda kind: ["first"],
        experimental=SimpleNamespace(get_device_details=lambda gpu: details[gpu]),
    )
    modules = {
        "tensorflow": SimpleNamespace(config=config),
        "jax": SimpleNamespace(devices=lambda: [SimpleNamespace(compute_capability="7.5")]),
        "torch": SimpleNamespace(cuda=SimpleNamespace(get_device_capability=lambda: (9, 0))),
    }
    monkeypatch.setattr(runtime.importlib, "import_module", modules.__getitem__)
    assert [runtime.compute_capability(name) for name in modules] == [(8, 9), (7, 5), (9, 0)]
    config.list_physical_devices = lambda kind: ["amd"]
    for amd in (SimpleNamespace(), SimpleNamespace(compute_capability="gfx90a")):
        modules["jax"].devices = lambda amd=amd: [amd]
        assert [runtime.compute_capability(name) for name in ("tensorflow", "jax")] == [(0, 0), (0, 0)]


def test_where_no_lower_one_can_be_faster_nothing_is_tried(tiny, monkeypatch):
    monkeypatch.setattr(precision, "lower", lambda started: "")
    said = []
    config, now = precision.settled(tiny("trainer.precision=auto"), CPU, None, said.append)
    assert (config.trainer.precision, now.precision, said) == (FULL, FULL, [])
    assert now.trial.seconds == {}


def test_a_network_that_another_precision_breaks_is_trained_in_float32(tiny, monkeypatch):
    def fail(names, *_):
        raise RunError(f"no such sum in {names[1]}")

    monkeypatch.setattr(precision, "lower", lambda started: BRAIN)
    monkeypatch.setattr(precision, "_seconds", fail)
    config, now = precision.settled(tiny("trainer.precision=auto"), CPU, None)
    assert (config.trainer.precision, now.trial.precision) == (FULL, FULL)
    assert "no such sum in mixed_bfloat16" in now.trial.why


@pytest.mark.parametrize("broken", ["loss", "network"])
def test_a_trial_whose_loss_is_no_number_or_whose_network_is_the_run_s_own_is_float32(
    tiny, monkeypatch, broken
):
    def side(name, *_):
        logs = {"loss": math.nan if name == BRAIN and broken == "loss" else 0.5}
        made = object.__new__(original)
        made.seconds, made.began = [], 0.0
        made.fused = SimpleNamespace(variables=[one if broken == "network" else object()])
        made.train = lambda count: made.on_train_batch_end(0, logs) or 0.1
        return made

    one, original = object(), precision._Side
    monkeypatch.setattr(precision, "lower", lambda started: BRAIN)
    monkeypatch.setattr(precision, "_Side", side)
    _, now = precision.settled(tiny("trainer.precision=auto"), CPU, None)
    assert now.trial.precision == FULL
    assert ("loss is nan" if broken == "loss" else "same network") in now.trial.why


def test_a_trial_ends_soon_where_it_is_waited_for_no_longer(tiny, monkeypatch):
    begun = []

    def interrupted(future, timeout=None):
        raise KeyboardInterrupt

    def train(count):
        begun.append(count)
        time.sleep(0.01)
        return 0.1

    monkeypatch.setattr(precision, "lower", lambda started: BRAIN)
    monkeypatch.setattr(precision, "_check_apart", lambda sides: None)
    monkeypatch.setattr(precision, "_Side", lambda *_: SimpleNamespace(train=train))
    monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        precision.settled(tiny("trainer.precision=auto"), CPU, None)
    assert len(begun) < 2 * (precision.ROUNDS + 1)


def test_ctrl_c_ends_a_trial(tiny, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(precision, "lower", lambda started: BRAIN)
    monkeypatch.setattr(precision, "_Side", lambda *_: None)
    monkeypatch.setattr(precision, "_check_apart", lambda sides: None)
    monkeypatch.setattr(precision.interrupts, "check", interrupted)
    with pytest.raises(KeyboardInterrupt):
        precision.settled(tiny("trainer.precision=auto"), CPU, None)


def test_a_typed_precision_is_not_tried(tiny):
    config = tiny("trainer.precision=mixed_bfloat16")
    assert precision.settled(config, CPU, None) == (config, CPU)


class Clock:
    """A step takes this process half as long in the lower precision."""

    def __init__(self):
        self.now, self.steps = 0.0, []

    def __call__(self):
        name = keras.config.dtype_policy().name
        self.steps.append(name)
        self.now += 0.5 if name == BRAIN else 1.0
        return self.now


def left(folder):
    """All that a run has computed, and the names of its layers."""
    with np.load(folder / "checkpoints/last.npz") as archive:
        found = {key: archive[key].tolist() for key in archive.files if key != "note"}
    with zipfile.ZipFile(folder / "checkpoints/best.keras") as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
        found["layers"] = [(layer["name"], layer["class_name"]) for layer in layers]
    status = json.loads((folder / "status.json").read_text())
    steps = (folder / "steps.csv").read_text()
    return {**found, "steps": steps, "id": status["id"], "auto": status["auto"], "config": status["config"]}


def test_the_run_is_the_one_for_which_the_chosen_precision_is_typed(tiny, monkeypatch):
    monkeypatch.setattr(precision, "lower", lambda started: BRAIN)
    monkeypatch.setattr(precision, "clock", clock := Clock())
    keras.backend.clear_session()  # names of layers are counted from here
    typed = left(trainer.train(tiny(*SMALL, f"trainer.precision={BRAIN}", run="typed")))
    assert not clock.steps
    keras.backend.clear_session()
    folder = trainer.train(tiny(*SMALL, "trainer.precision=auto"))
    keras.config.set_dtype_policy(FULL)
    assert left(folder) == typed
    assert stored_config.load_run(folder).trainer.precision == BRAIN
    assert clock.steps == [FULL] * 2 + [BRAIN] * 2 + ([FULL] * 4 + [BRAIN] * 4) * precision.ROUNDS
    recorded = json.loads((folder / "environment.json").read_text())["runtime"]
    assert (recorded["precision"], recorded["trial"]["seconds"]) == (BRAIN, {FULL: 1.0, BRAIN: 0.5})
    log = (folder / "train.log").read_text()
    assert log.count("trainer.precision=auto is mixed_bfloat16") == 1
