"""``dmf plan`` and ``plan=auto`` with a machine that is made up: nothing is trained."""

import dataclasses
import json
import math

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config, hints, machine
from dmf_cli.cli.main import main
from dmf_cli.errors import DatasetError, RunError, UsageError
from dmf_cli.jobs import child
from dmf_cli.planning import fingerprint, plan
from dmf_cli.planning.room import OutOfMemoryError
from dmf_cli.planning.settings import Speed
from dmf_cli.run_folder.folder import RunFolder
from tests.raised import raises

PHANTOM = ["dataset=phantom", "dataset.count=60", "dataset.size=64"]


def speed(chosen) -> Speed:
    """Of a machine that needs 2 ms for each image of 64x64."""
    size = config.inputs.as_size(chosen.dataset.image_size)[0]
    step = 0.002 * chosen.trainer.batch_size * (size / 64) ** 2
    return Speed(5.0, 2.0, 4.0, step, 0.5, 6.0, 6e8)


@pytest.fixture(scope="module", autouse=True)
def _machine():
    """Without a GPU, and without the weights of the extra `pretrained`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "gpus", lambda: 0)
        patch.setattr(hints, "PRETRAINED", "no_such_package")
        yield


@pytest.fixture(scope="module")
def made(_machine):
    asked = []
    found = plan.make(
        [*PHANTOM, "budget=5m"], lambda chosen: asked.append(chosen) or speed(chosen), lambda line: None
    )
    return found, asked


def test_a_plan_composes_and_is_what_was_timed(made):
    found, asked = made
    composed = config.compose([*found.words, *found.given])
    assert composed.trainer.epochs == found.choice.epochs
    for group in ("dataset", "model", "augment", "optimizer"):
        assert composed.plain[group].keys() == asked[-1].plain[group].keys()
    assert composed.trainer.batch_size == asked[-1].trainer.batch_size
    assert found.command.startswith("dmf train dataset=phantom ")
    assert json.loads(json.dumps(found.as_json()))["overrides"] == list(found.words)


def test_a_plan_says_the_facts_the_reasons_and_the_command(made):
    text = made[0].lines()
    assert [line.split()[0] for line in text[:4]] == ["images", "size", "lesions", "classes"]
    assert "42 train" in text[0]
    assert text[-1] == f"run       {made[0].command}"
    assert text[-2].startswith("expected  ")
    assert "of 5:00 min, 572 MiB of memory" in text[-2]
    assert all(len(row) == 3 and all(row) for row in made[0].reasons)


def test_what_the_user_sets_is_no_word_of_the_plan():
    given = [
        "dataset.image_size=48",
        "model.filters=6",
        "trainer.epochs=40",
        "augment=none",
        "trainer.batch_size=8",
    ]
    found = plan.make([*PHANTOM, *given], speed, lambda line: None)
    assert found.words == ()
    assert found.choice.epochs == 40


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["budget=half"], "budget is 'half': give a time with its unit, as 90s, 30m, 2h or 1h30m"),
        (["memory=4"], "memory is '4': give an amount with its unit, as 800M or 4G"),
        (["modle=unet"], "modle"),
        (["dataset=folder", "dataset.dir=nowhere"], "nowhere"),
    ],
)
def test_what_is_wrong_is_one_line(words, said, capsys):
    assert main(["plan", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_folder_without_images_is_no_dataset(tmp_path):
    (tmp_path / "images").mkdir()
    with raises(DatasetError):
        plan.make(["dataset=folder", f"dataset.dir={tmp_path}"], speed, lambda line: None)


def test_a_run_follows_its_plan_and_keeps_it_beside_the_time_it_took(tmp_path, monkeypatch, capsys):
    trained = {}

    def run(chosen, resume, kept=None):
        trained.update(config=chosen, plan=kept)
        folder = RunFolder.claim(tmp_path / "run")
        folder.write_config(config.to_yaml(chosen))
        folder.write_status("completed", plan=kept)
        folder.release()
        return folder.path

    monkeypatch.setattr(child, "run", run)
    monkeypatch.setattr(plan, "make", _made(plan.make))
    assert main(["train", "plan=auto", "budget=5m", *PHANTOM, "seed=3"]) == 0
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert status["plan"] == {**json.loads(json.dumps(trained["plan"])), "took": status["plan"]["took"]}
    assert status["plan"]["took"] >= 5.0
    assert trained["config"].seed == 3
    assert f"trainer.epochs={trained['config'].trainer.epochs}" in status["plan"]["overrides"]
    assert "plan      expected" in capsys.readouterr().out.splitlines()[-1]


def _made(original):
    return lambda words: original(words, speed, lambda line: None)


@pytest.mark.parametrize(
    ("words", "said"), [(["plan=none"], "auto"), (["-m", "plan=auto", "seed=0,1"], "not a sweep")]
)
def test_a_plan_is_auto_and_of_one_run(words, said, capsys):
    assert main(["train", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_plan_goes_with_a_preset_and_an_option_that_is_typed(capsys):
    # Composed and noted, up to the planning.
    assert main(["train", "plan=auto", "budget=never", "recipe=standard", "trainer=default"]) == 2
    said = capsys.readouterr().err
    assert "recipe=standard is used without trainer.epochs=120" in said
    assert "budget is 'never'" in said


def test_test_images_do_not_decide(monkeypatch):
    from dmf_cli.datasets.input import run_data

    chosen, known = config.compose(PHANTOM), run_data.make_split
    found = fingerprint.of(chosen)

    def only(part):
        def split(*given, **options):
            made = known(*given, **options)
            return dataclasses.replace(made, **{part: made.train[:2], "val": (), "test": made.test})

        return split

    monkeypatch.setattr(run_data, "make_split", only("train"))
    assert fingerprint.of(chosen).lesion != found.lesion


@pytest.fixture
def wide(tmp_path):
    """A dataset of images of 64 x 256 pixels, each with a lesion of 16 x 16."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(12):
        mask = np.zeros((64, 256), np.uint8)
        mask[20:36, 100:116] = 255
        image = rng.integers(0, 255, mask.shape, np.uint8)
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    return ["dataset=folder", f"dataset.dir={tmp_path}"]


def test_lesions_of_a_letterbox_are_as_wide_as_they_are_in_it(wide):
    facts = fingerprint.of(config.compose(wide))
    round_ = 16 * (4 / math.pi) ** 0.5  # diameter of a disc with the area of a lesion
    assert facts.resized("stretch").lesion == pytest.approx(round_ / 128, abs=1e-4)
    boxed = facts.resized("letterbox")
    assert (boxed.small, boxed.lesion) == pytest.approx((round_ / 256, round_ / 256), abs=1e-4)


@pytest.mark.parametrize(
    ("aspect", "words", "letterboxed"),
    [
        ((4.0, 4.0), [], False),
        ((0.7, 4.0), [], True),
        ((0.7, 4.0), ["dataset.resize=stretch"], False),
        ((4.0, 4.0), ["dataset.resize=letterbox"], True),
    ],
)
def test_the_resize_is_decided_before_lesions_decide_the_size(aspect, words, letterboxed, made, monkeypatch):
    facts = dataclasses.replace(
        made[0].facts, aspect=aspect, small=0.2, lesion=0.4, letterboxed=(0.1, 0.2), height=(200,) * 3,
        width=(800,) * 3,
    )  # fmt: skip
    monkeypatch.setattr(fingerprint, "of", lambda chosen: facts)
    timed = []
    found = plan.make(
        [*PHANTOM, "budget=5m", *words], lambda one: timed.append(one) or speed(one), lambda line: None
    )
    assert timed[0].dataset.image_size == (128 if letterboxed else 64)
    assert f"diameter {'20%' if letterboxed else '40%'}" in repr(found)


def test_the_speed_of_an_epoch_is_read_from_its_steps():
    from dmf_cli.planning.speed import Watch

    watch = Watch()
    watch.made = -1.0
    watch.began = [[0.0, 9.0, 10.0], [14.0, 15.0, 16.0], [20.0, 21.0, 22.0], []]
    watch.ended = [13.0, 19.0, 25.0]
    step, epoch, compiling = watch.read(steps=3)
    assert (step, epoch, compiling) == (1.0, 3.0, 8.0)
    found = Speed(1.0, 1.0, compiling, step, epoch, 3.0, 0.0)
    assert found.seconds(3, 3) == 1.0 + 1.0 + 26.0 + 3.0  # as it was, whatever belongs to what
    assert dataclasses.replace(found, step=2.0).epochs(100.0, 3) == 9


@pytest.fixture
def planned(made, monkeypatch):
    """``planned(*words)``: the plan of images that are known already."""
    monkeypatch.setattr(fingerprint, "of", lambda chosen: made[0].facts)
    return lambda *words: plan.make([*PHANTOM, "budget=5h", *words], speed, lambda line: None)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["recipe=standard", "dataset.patch=32"], {"dataset.image_size": 128, "trainer.epochs": 120}),
        (["experiment=notebook", "trainer.epochs=9"], {"model.filters": 32, "trainer.batch_size": 32}),
        (["recipe=standard", "trainer.epochs=auto"], {}),
        (["model=unet_wide"], {"model.filters": 32}),
        (["model=resenc"], {"model.filters": 32}),
        (["recipe=standard", "trainer.epochs=auto", "model=unet_wide"], {"model.filters": 32}),
        (["model=unet_wide", "model.filters=20"], {}),
        (["model=hub"], {}),
    ],
)
def test_what_a_preset_a_network_or_a_patch_sets_stays_and_is_said(words, kept, planned):
    found = planned(*words)
    assert {key: value for key, (value, _) in found.kept.others.items()} == kept
    composed = config.compose(found.overrides)
    for key, value in kept.items():
        group, _, name = key.partition(".")
        assert composed.plain[group][name] == value
        assert not any(word.startswith(f"{key}=") for word in found.words)
        assert any(line.startswith("kept ") and f"{key}={value}" in line for line in found.lines())
    assert composed.trainer.epochs == found.choice.epochs  # also where the user leaves them to the plan
    assert composed.dataset.patch is None or "2 poolings, down to 8 pixels" in repr(found)


def test_a_network_that_is_typed_is_not_made_narrower_for_little_time(planned):
    with raises(UsageError, key="budget", hint="give budget="):
        planned("model=unet_wide", "budget=20s")


def test_a_setting_without_room_is_said_and_a_smaller_one_is_planned(made, monkeypatch):
    monkeypatch.setattr(fingerprint, "of", lambda chosen: made[0].facts)
    said = []

    def measure(chosen):
        if chosen.trainer.batch_size > 2:
            raise OutOfMemoryError("a setting ran out of memory", hint="give less")
        return speed(chosen)

    found = plan.make([*PHANTOM, "budget=5m"], measure, said.append)
    assert found.choice.setting.batch == 2
    assert [line.split()[-1] for line in said[:3:2]] == ["trainer.batch_size=4", "trainer.batch_size=2"]
    assert said[1] == "no room   a setting ran out of memory"


def test_another_error_of_a_timing_ends_the_plan(made, monkeypatch):
    def measure(chosen):
        raise RunError("the timing of a setting failed")

    monkeypatch.setattr(fingerprint, "of", lambda chosen: made[0].facts)
    with raises(RunError, what="failed"):
        plan.make([*PHANTOM], measure, lambda line: None)


def test_a_gpu_and_pretrained_weights_make_candidates_that_compose(planned, monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: 1)
    assert {"recipe=nnunet"} <= set(planned().words)
    monkeypatch.setattr(hints, "PRETRAINED", "json")
    found = planned()
    assert "recipe=strong" in found.words
    composed = config.compose(found.overrides)
    assert (composed.model.name, composed.model.params["filters"]) == ("unet_encoder", 8)
    rows = [row[0] for row in found.reasons]
    assert "model" in rows
    assert "depth" not in rows


def test_a_depth_of_the_user_is_not_called_auto(made, planned):
    assert "depth" in [row[0] for row in made[0].reasons]
    assert "depth" not in [row[0] for row in planned("model.depth=2").reasons]
