"""Runs that go on from others: extended, resumed at another place, started from weights."""

import json
import re
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import hashes
from dmf_cli.cli.main import main
from dmf_cli.comparison import loading
from dmf_cli.config import moving
from dmf_cli.errors import CheckpointError, ConfigError, DatasetError, RunFolderError
from dmf_cli.inference import score
from dmf_cli.jobs import child
from dmf_cli.run_folder import checkpoint_file, identity, network_record, stored_config
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.training import build, initial_weights, trainer
from dmf_cli.training import extend as extending
from dmf_cli.training.extend import Origin, extend, going_on
from tests import tables
from tests.raised import raises
from tests.training import stopping
from tests.training.conftest import TINY

STILL = (
    "weighting=var",
    "weighting.warmup=2",
    "schedule=constant",
    "model.dropout=0.2",
    "split.similarity=null",
)


def arrays(run):
    return stopping.arrays(run / "checkpoints/last.npz")


def rows(run, name="epochs.csv"):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in tables.rows(run / name)]


def longer(run, epochs, **more):
    return stored_config.load_run(run).changed("trainer", epochs=epochs).with_root(**more)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A run of two epochs, and one of four."""
    root = tmp_path_factory.mktemp("pair")
    made = [
        trainer.train(configs.compose([*TINY, *STILL, f"run_dir={root / name}", f"trainer.epochs={epochs}"]))
        for name, epochs in (("short", 2), ("long", 4))
    ]
    return made[0], made[1]


def test_a_run_whose_network_was_changed_is_not_extended(tmp_path):
    run = RunFolder.claim(tmp_path / "run")
    run.write_config("")
    run.best_model.write_bytes(b"another")
    checkpoint_file.write(run.last_checkpoint, {}, {"epoch": 1, "best_epoch": 1}, 1)
    run.write_status("failed", network=["1" * 64])
    run.release()
    with raises(CheckpointError, path=run.best_model, reason="is not the network that the run wrote"):
        extend(run.path, configs.compose())


def test_a_run_that_is_extended_is_held_and_its_network_hashed_once(tmp_path, monkeypatch):
    run = RunFolder.claim(tmp_path / "run")
    run.write_config("")
    run.best_model.write_bytes(b"network")
    content = hashes.of_file(run.best_model)
    run.write_status("interrupted", network=[content], epoch=1, epochs=1)
    note = {"epoch": 1, "best_epoch": 1, "network": content}
    checkpoint_file.write(run.last_checkpoint, {}, note, 1)
    run.release()
    run.log.chmod(0o400)
    hashed, of_file = [], hashes.of_file
    monkeypatch.setattr(hashes, "of_file", lambda path: (hashed.append(path), of_file(path))[1])

    def origin(begun, *_):
        with raises(RunFolderError, reason="is in use by"):
            RunFolder(begun.path).hold()
        raise KeyboardInterrupt

    monkeypatch.setattr(extending, "_origin", origin)
    with pytest.raises(KeyboardInterrupt):
        extend(run.path, configs.compose())
    assert hashed == [run.best_model]
    RunFolder(run.path).hold()


def test_an_extended_run_is_bitwise_the_longer_run(pair, tmp_path, capsys):
    short, whole = pair
    before = {file: file.read_bytes() for file in short.rglob("*") if file.is_file()}
    assert main(["extend", str(short), "trainer.epochs=4", f"run_dir={tmp_path / 'more'}"]) == 0
    assert f"extends   {short}, 2 epochs" in capsys.readouterr().out.replace("\n", "")
    more = tmp_path / "more"
    ours, theirs = arrays(more), arrays(whole)
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value, err_msg=key)
    assert rows(more) == rows(whole)
    assert rows(more, "steps.csv") == rows(whole, "steps.csv")
    summaries = [(run / "metrics/test_summary.json").read_text() for run in (more, whole)]
    assert json.loads(summaries[0])["foreground"] == json.loads(summaries[1])["foreground"]
    for one in map(RunFolder, (short, whole, more)):
        assert network_record.check(one) == network_record.recorded(one)[0]
    status, parent = (json.loads((run / "status.json").read_text()) for run in (more, short))
    assert status["parent"] == {
        "path": str(short), "id": parent["id"], "epoch": 2, "epochs": 2, "schedule": "continue"
    }  # fmt: skip
    ids = {json.loads((run / "status.json").read_text())["id"] for run in (more, short, whole)}
    assert len(ids) == 3
    assert before == {file: file.read_bytes() for file in short.rglob("*") if file.is_file()}
    with raises(ConfigError, reason="is complete", hint="`dmf extend"):
        trainer.resume(more)


@pytest.mark.parametrize(("policy", "expected"), [("continue", "long"), ("restart", "anew")])
def test_the_schedule_goes_on_or_begins_anew(pair, tmp_path, policy, expected):
    """The learning rate is that of a cosine over four epochs, or over the two that are added."""
    config = configs.compose(
        [*TINY, *STILL, f"run_dir={tmp_path / 'a'}", "schedule=cosine", "trainer.epochs=2"]
    )
    begun = trainer.train(config)
    with raises(ConfigError, key="schedule", hint="--schedule continue"):
        extend(begun, longer(begun, 4, run_dir=str(tmp_path / "b")))
    assert not (tmp_path / "b").exists()
    made = extend(begun, longer(begun, 4, run_dir=str(tmp_path / "b")), policy)
    rates = [float(row["learning_rate"]) for row in rows(made)]
    peak, steps = config.optimizer.learning_rate, int(rows(made)[0]["step"])
    four, two = (build.learning_rate(config.schedule, peak, n * steps) for n in (4, 2))
    ends = {
        "long": [float(four(epoch * steps)) for epoch in (3, 4)],
        "anew": [float(two(epoch * steps)) for epoch in (1, 2)],
    }
    np.testing.assert_allclose(rates[2:], ends[expected], rtol=1e-5, atol=1e-12)


def test_an_extended_run_that_broke_off_is_resumed_as_one(pair, tmp_path, monkeypatch):
    short, whole = pair

    def stop(self, row):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Display, "epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            extend(short, longer(short, 4, run_dir=str(tmp_path / "more")))
    trainer.resume(tmp_path / "more")
    for key, value in arrays(whole).items():
        np.testing.assert_array_equal(arrays(tmp_path / "more")[key], value, err_msg=key)


def test_what_cannot_be_extended_is_one_line(pair, capsys):
    short, _ = pair
    for words, says in (
        (["trainer.epochs=2"], "has 2 already: give the whole number that the new run is to reach"),
        ([], "trainer.epochs is missing"),
        (["trainer.epochs=4", "optimizer.learning_rate=1"], f"dmf train model.weights={short}"),
        (["trainer.epochs=4", "--schedule", "anew"], "allowed: continue, restart"),
    ):
        assert main(["extend", str(short), *words]) == 2
        assert says in " ".join(capsys.readouterr().err.split())


def test_patience_begins_anew_where_the_parent_had_stopped_early():
    note = {"epoch": 5, "callbacks": {"EarlyStopping": {"wait": 3.0, "stopped_epoch": 4.0, "best": 0.5}}}
    assert going_on(note)["callbacks"]["EarlyStopping"] == {"wait": 0, "stopped_epoch": 0, "best": 0.5}
    assert Origin.of({"state": "completed"}) is None


def test_an_edited_config_does_not_pass_as_the_run(pair, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(pair[0], copy)
    stored = stored_config.load_run(copy)
    status = json.loads((copy / "status.json").read_text())
    (copy / "status.json").write_text(json.dumps({**status, "state": "interrupted"}))
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(
        text.replace("batch_size: 4", "batch_size: 8").replace("seed: 0", "seed: 1", 1)
    )
    edited = {"path": copy / "config.yaml", "reason": "was edited"}
    for attempt in (
        lambda: trainer.resume(copy),
        lambda: main_error(["extend", str(copy), "trainer.epochs=3"]),
        lambda: loading.config_of(copy),
        lambda: score.evaluate_run(copy, stored, "test"),
    ):
        with raises(RunFolderError, **edited):
            attempt()
    (copy / "config.yaml").write_text(text.replace("output_root: outputs", "output_root: elsewhere"))
    stored_config.check_unedited(copy, stored_config.load_run(copy))


def main_error(words):
    from dmf_cli.cli import extend as command

    command.run(words[1:])


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        mask = np.zeros((32, 32), np.uint8)
        mask[4 : 12 + i, 6:20] = 255
        for folder, pixels in (("images", rng.integers(0, 255, (32, 32), np.uint8)), ("masks", mask)):
            (tmp_path / "here" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "here" / folder / f"{chr(97 + i)}x.png")
    return tmp_path / "here"


def interrupted(images, tmp_path, monkeypatch):
    words = [word for word in TINY if not word.startswith("dataset.")]
    words += ["dataset=folder", f"dataset.dir={images}", "dataset.image_size=32", "weighting=fixed"]
    config = configs.compose(
        [*words, "split.similarity=null", "split.sizes=1", f"run_dir={tmp_path / 'run'}"]
    )

    def stop(self, row):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Display, "epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            trainer.train(config)
    return tmp_path / "run", config


def test_a_run_is_resumed_where_its_images_are_now(images, tmp_path, monkeypatch, capsys):
    run, config = interrupted(images, tmp_path, monkeypatch)
    there = images.rename(tmp_path / "there")
    with pytest.raises(
        DatasetError, match=rf"here', which is not a folder.*`dmf resume {re.escape(str(run))} dataset.dir"
    ):
        trainer.resume(run)
    assert main(["resume", str(run), "trainer.epochs=5"]) == 2
    keys = "dataset.dir=, dataset.data_dir=, split.file=, output_root=, trainer.devices=, trainer.hosts="
    assert f"only {keys} can" in capsys.readouterr().err
    other = tmp_path / "split.json"
    split = json.loads((run / "split.json").read_text())
    other.write_text(
        json.dumps({**split, "train": split["train"][:-1], "test": [*split["test"], split["train"][-1]]})
    )
    assert main(["resume", str(run), f"dataset.dir={there}", f"split.file={other}"]) == 2
    assert "divides the images in another way" in capsys.readouterr().err
    assert main(["resume", str(run), f"dataset.dir={there}"]) == 0
    assert stored_config.load_run(run).dataset.dir == str(there)
    assert len(rows(run)) == 2
    assert json.loads((run / "status.json").read_text())["id"] == identity.run_id(
        moving.with_value(config, "dataset.dir", str(there))
    )
    # Once more, to be scored and to be extended.
    again, scores = there.rename(tmp_path / "again"), sorted((run / "metrics").iterdir())
    assert main(["eval", str(run)]) == 2
    assert f"if they were moved: `dmf eval {run} dataset.dir=PATH`" in capsys.readouterr().err
    assert main(["eval", str(run), f"dataset.dir={again}"]) == 0
    assert sorted((run / "metrics").iterdir()) == scores
    longer = ["extend", str(run), "trainer.epochs=3", "--schedule", "continue"]
    assert main(longer) == 2
    assert (
        f"`dmf extend {run} trainer.epochs=3 --schedule continue dataset.dir=PATH`" in capsys.readouterr().err
    )
    assert main([*longer, f"dataset.dir={again}", f"split.file={other}"]) == 2
    assert "divides the images in another way" in capsys.readouterr().err


def test_other_images_are_refused_and_a_sweep_hands_on_its_own_places(images, tmp_path, monkeypatch):
    run, config = interrupted(images, tmp_path, monkeypatch)
    there = tmp_path / "there"
    shutil.copytree(images, there)
    Image.new("L", (32, 32), 9).save(there / "images/ax.png")
    shutil.rmtree(images)
    job = moving.with_value(config, "dataset.dir", str(there))
    with pytest.raises(
        DatasetError, match=r"image 'images/ax' .* is not the one that the run was started with"
    ):
        child.run(job, str(run))
    shutil.copytree(there, images)
    split = json.loads((run / "split.json").read_text())
    assert stored_config.load_run(run).dataset.dir == str(images)  # what did not work is not stored
    assert split["hashes"]


def network(channels, filters=4, kind="unet"):
    from dmf_cli import models

    return getattr(models, kind)((16, 16, 1), channels, filters=filters)


def test_a_network_starts_from_the_weights_of_another_as_far_as_they_fit(tmp_path, caplog):
    keras.utils.set_random_seed(0)
    other, same, more, wide = network(2), network(2), network(3), network(2, kind="resunet")
    other.save(tmp_path / "best.keras")
    file = tmp_path / "best.keras"
    said = initial_weights.start_from(same, file)
    assert re.fullmatch(rf"(\d+) of \1 layers from {re.escape(str(file))}", said)
    for mine, theirs in zip(same.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    said = initial_weights.start_from(more, file)
    assert re.search(r"; not fitting: \w+ \(1x1x4x3\)$", said)
    np.testing.assert_array_equal(more.get_weights()[0], other.get_weights()[0])
    assert "keeps its initial weights" in caplog.text
    assert "not fitting" in initial_weights.start_from(wide, file)
    with raises(ConfigError, key="model.weights", allowed="a run folder or a .keras file"):
        initial_weights.start_from(same, tmp_path / "no")
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with raises(ConfigError, key="model.weights", reason="no layer fits"):
        initial_weights.start_from(dense, file)


def test_model_weights_are_said_kept_by_content_and_not_loaded_again(pair, tmp_path, capsys):
    words = [*TINY, *STILL, f"run_dir={tmp_path / 'next'}", f"model.weights={pair[0]}", "trainer.epochs=1"]
    words += ["optimizer.learning_rate=1e-9"]
    config = configs.compose(words)
    made = trainer.train(config)
    assert "layers from" in capsys.readouterr().out
    best, ours = (keras.models.load_model(run / "checkpoints/best.keras") for run in (pair[0], made))
    np.testing.assert_allclose(ours.get_weights()[0], best.get_weights()[0], atol=1e-6)
    moved = tmp_path / "moved.keras"
    shutil.copyfile(pair[0] / "checkpoints/best.keras", moved)
    same, other = (
        identity.run_id(moving.with_value(config, "model.weights", weights)) for weights in (str(moved), None)
    )
    assert identity.run_id(config) == same != other


def test_test_images_that_the_first_weights_were_trained_on_are_named_and_counted(pair, tmp_path):
    weights = shutil.copytree(pair[0], tmp_path / "first")
    words = [*TINY, *STILL, f"run_dir={tmp_path / 'next'}", f"model.weights={weights}", "trainer.epochs=1"]
    made = trainer.train(configs.compose([*words, "split.seed=5"]))
    parts, first = (json.loads((run / "split.json").read_text()) for run in (made, weights))
    known = [sum(name in first[part] for name in parts["test"]) for part in ("train", "val")]
    assert sum(known) > 0
    said = f"were trained on {sum(known)} of the {len(parts['test'])} test images"
    assert said in (made / "train.log").read_text()
    settings = json.loads((made / "metrics/test_summary.json").read_text())["settings"]
    assert settings["seen"] == {"train": known[0], "val": known[1]}
    (weights / "split.json").unlink()  # its child has what is needed
    more = extend(made, longer(made, 2, run_dir=str(tmp_path / "more")))
    assert (
        json.loads((more / "metrics/test_summary.json").read_text())["settings"]["seen"] == settings["seen"]
    )


def test_an_extension_begins_where_the_checkpoint_is_though_a_kill_left_an_older_status(tiny, monkeypatch):
    config = tiny("trainer.epochs=9", "schedule=constant")
    run = RunFolder.claim(config.run_dir)
    run.write_config(configs.to_yaml(config))
    run.write_status("interrupted", id="x", epoch=3, epochs=6)
    run.release()
    checkpoint_file.write(run.last_checkpoint, {}, {"epoch": 4}, keep=2)

    def session(*_, origin, **__):
        raise KeyboardInterrupt(origin.epoch)

    monkeypatch.setattr(extending, "Session", session)
    for name in ("check_place", "check_split"):
        monkeypatch.setattr(extending.moved, name, lambda *_: None)
    with pytest.raises(KeyboardInterrupt, match=r"^4$"):
        extending.extend(run.path, config.with_root(run_dir=None))
