"""Several runs as one network, and which of them score which image."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dmf_cli import config as configs
from dmf_cli import datasets
from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.datasets.splits import division
from dmf_cli.errors import ConfigError
from dmf_cli.inference import choosing, kept_choices, score
from dmf_cli.inference.assignment import assign
from dmf_cli.inference.ensemble import Ensemble, Member, combined, for_images
from dmf_cli.inference.prediction import Prediction
from dmf_cli.run_folder.folder import RunFolder
from tests.inference.test_evaluation import Squares
from tests.raised import raises

SPEC = InputSpec((8, 8))


class Network:
    """What is asked of Keras, and a function."""

    input_shape, output_shape = (None, 8, 8, 1), (None, 8, 8, 1)

    def __init__(self, function):
        self.predict_on_batch = function


def make_run(path, *words):
    run = RunFolder.claim(path)
    run.write_config(configs.to_yaml(configs.compose(list(words))))
    run.write_status("completed")
    run.release()
    return path


def scored(parts, own=True, split="test", saved=True):
    """The images of a run: index -> the part that each had."""
    indices = [i for i, part in parts.items() if part == split]
    known = {i: part for i, part in parts.items() if part}

    def had(asked):
        return {i: known[i] for i in asked if i in known}

    return SimpleNamespace(
        own=own,
        knows=own,
        indices=indices,
        settings={} if saved else {"seen": None},
        parts=had,
        own_parts=had,
    )


def fold(number, folds=3):
    """Two images a fold; the validation images of a fold are the test images of the next one."""
    parts = ["train"] * (2 * folds)
    for i in range(2 * folds):
        if i // 2 == number:
            parts[i] = "test"
        elif i // 2 == (number + 1) % folds:
            parts[i] = "val"
    return dict(enumerate(parts))


def test_each_image_of_all_folds_is_scored_by_the_network_that_never_saw_it():
    groups, settings = assign([scored(fold(n)) for n in range(3)])
    assert groups == {(0,): [0, 1], (1,): [2, 3], (2,): [4, 5]}
    assert settings == {"members": [1]}


def test_two_seeds_of_each_fold_are_averaged():
    groups, settings = assign([scored(fold(n)) for n in (0, 0, 1, 1)])
    assert groups == {(0, 1): [0, 1], (2, 3): [2, 3]}
    assert settings == {"members": [2]}


def test_seeds_of_one_split_are_one_ensemble_on_its_test_images():
    groups, settings = assign([scored(fold(1)) for _ in range(3)])
    assert groups == {(0, 1, 2): [2, 3]}
    assert "seen" not in settings


def test_a_member_that_was_trained_on_a_test_image_of_another_does_not_score_it():
    other = {0: "test", 1: "train", 2: "test"}
    groups, settings = assign([scored({0: "test", 1: "test", 2: "train"}), scored(other)])
    assert groups == {(0, 1): [0], (0,): [1], (1,): [2]}
    assert settings == {"members": [1, 2]}


def test_images_that_all_have_seen_are_scored_by_all_and_counted():
    groups, settings = assign([scored(fold(0), split="train") for _ in range(2)])
    assert groups == {(0, 1): [4, 5]}
    assert settings["seen"] == {"train": 2, "val": 0}
    assert assign([scored(fold(0)), scored(fold(0), saved=False)])[1]["seen"] is None


def test_other_images_are_those_of_the_first_and_new_to_all():
    images = {0: None, 1: None}
    runs = [scored(images, own=False, split=None) for _ in range(2)]
    assert assign(runs)[0] == {(0, 1): [0, 1]}


def test_the_mean_of_the_members_is_predicted():
    functions = (lambda x: x * 0.2, lambda x: x * 0.6)
    made = Ensemble(tuple(Member(None, None, Network(f)) for f in functions))
    images = np.ones((2, 8, 8, 1), np.float32)
    np.testing.assert_allclose(made.predict(images), 0.4 * images)
    assert made.predict(images).dtype == np.float32


def test_what_auto_chose_of_each_network_becomes_one_choice():
    common = {"resolution": "original", "mirror": True}
    one = Prediction(SPEC, 0.3, temperature=2.0, component="largest", holes="fill", **common)
    two = Prediction(SPEC, 0.5, temperature=4.0, component="largest", **common)
    found = combined([one, two])
    assert (found.threshold, found.temperature) == (pytest.approx(0.4), 1.0)  # the mean is less sure already
    assert (found.component, found.holes) == ("largest", "keep")  # one of two is not most
    assert found.mirror is True
    assert combined([one]) is one


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["dataset.image_size=32"], "dataset.image_size"),
        (["dataset.resize=letterbox"], "dataset.resize"),
        (["dataset.normalize=zscore"], "dataset.normalize"),
    ],
)
def test_runs_of_other_inputs_are_one_line(tmp_path, words, key):
    paths = [make_run(tmp_path / "a"), make_run(tmp_path / "b", *words)]
    with raises(ConfigError, key=key, hint="need the same inputs and classes"):
        Ensemble.of(paths)


def test_runs_of_other_classes_or_the_same_run_twice_are_one_line(tmp_path):
    folder = ["dataset=folder", f"dataset.dir={tmp_path}"]
    one, other = (
        make_run(tmp_path / name, *folder, f"dataset.classes=[background,{name}]")
        for name in ("benign", "cyst")
    )
    with raises(ConfigError, key="dataset.classes"):
        Ensemble.of([one, other])
    with raises(ConfigError, what="is given twice"):
        Ensemble.of([one, one])


def test_scores_of_several_runs_go_to_a_folder_of_their_own(tmp_path):
    places = [score.place([tmp_path / "a", tmp_path / name]) for name in ("b", "c")]
    assert all(
        place.parent == tmp_path / "ensembles" and place.name.startswith("a_and_1_more-") for place in places
    )
    assert places[0] != places[1]
    assert score.place([tmp_path / "a"]) == tmp_path / "a"


def test_a_threshold_for_masks_that_are_made_without_one_is_an_error():
    config = configs.compose(["predict.decision=dice"])
    assert for_images(config).predict.decision == "dice"
    with raises(ConfigError, key="metrics.threshold", value=0.4, hint="set predict.decision=threshold"):
        for_images(config, 0.4)
    assert for_images(configs.compose([]), 0.4).metrics.threshold == 0.4


def test_folds_are_scored_together_each_by_its_own_network(tmp_path):
    """One network is right and the other blind: only the images of the first are found."""
    config = configs.compose(["dataset.image_size=8", "model.head=sigmoid", "trainer.batch_size=2"])
    run = RunFolder(make_run(tmp_path / "a"))
    members = [Member(run, config, Network(f)) for f in (lambda x: x, lambda x: x * 0.1)]
    images = Squares([8, 4, 12, 6])
    result = score.score(
        Ensemble(tuple(members)),
        config,
        images,
        {(0,): [0, 2], (1,): [1, 3]},
        name="test",
        output=tmp_path / "folds",
    )
    found = {row["id"]: row["outcome"] for row in result.rows}
    assert found == {"s/0": "found", "s/2": "found", "s/1": "missed", "s/3": "missed"}
    said = result.summary["settings"]
    assert said["rule"] == "2 networks, each image by the one that never saw it, threshold 0.5"
    assert len(said["runs"]) == 2
    assert (tmp_path / "folds/metrics/test_summary.json").is_file()


CONTENT = Squares([8, 4, 12, 6, 10])


def noisy(number):
    """A network that is sure and, in places of its own, wrong: the mean of several is less sure."""

    def predict(images):
        rng = np.random.default_rng(number)
        wrong = rng.random(images.shape[1:]) < 0.2
        return np.where(wrong, 1 - images, images) * 0.98 + 0.01

    return predict


def seeds(path, *vals, words=("predict.temperature=auto",)):
    """An ensemble with a member for each of ``vals``: the images of its validation, trained on the others."""
    members = []
    for number, val in enumerate(vals):
        run = RunFolder(make_run(path / f"r{number}"))
        run.best_model.write_bytes(bytes([number]))
        train = tuple(i for i in range(5) if i not in val)
        division.save_split(run.split_file, CONTENT, division.Split(train, tuple(val), ()))
        config = configs.compose(["dataset.image_size=8", "model.head=sigmoid", *words])
        members.append(Member(run, config, Network(noisy(number)), images=(CONTENT, val)))
    return Ensemble(tuple(members))


def test_the_temperature_of_an_ensemble_is_that_of_its_mean(tmp_path):
    made = seeds(tmp_path, [0, 1, 3, 4], [0, 1, 3], [1, 3, 0])
    config = made.members[0].config
    found = made.prediction(config, SPEC, tmp_path / "scores/all")
    (entry,) = kept_choices.read(tmp_path / "scores/all").values()
    assert entry["images"] == 3  # 4 was trained on by two
    assert entry["values"]["temperature"] == found.temperature
    assert entry["ece"]["after"] != entry["ece"]["before"]
    each = [member.prediction(config, SPEC).temperature for member in made.members]
    assert found.temperature < min(each)  # the mean is less sure already
    again = made.prediction(config, SPEC, tmp_path / "scores/all")
    assert again == found == made.prediction(config, SPEC)  # `dmf predict` keeps nothing
    assert kept_choices.read(tmp_path / "scores/all") == {choosing.asked(config): entry}


def test_folds_have_no_temperature_together_and_each_its_own_alone(tmp_path):
    made = seeds(tmp_path, [0, 1], [2, 3])
    config = made.members[0].config
    assert made.prediction(config, SPEC).temperature == 1.0
    own = [member.prediction(config, SPEC).temperature for member in made.members]
    assert 1.0 not in own
    groups = {(0,): [2, 3], (1,): [0, 1]}
    result = score.score(made, config, CONTENT, groups, name="test", output=tmp_path / "folds")
    said = result.summary["settings"]
    assert said["rule"].endswith("one that never saw it, threshold 0.5, each network's own temperature")
    assert said["predict"]["temperature"] == "each network's own"
    assert said["ece"]["after"] != said["ece"]["before"]
    assert "each network's own temperature" in (tmp_path / "folds/metrics/test_summary.md").read_text()


def test_thresholds_of_several_networks_are_no_threshold_of_the_table(tmp_path):
    made = seeds(tmp_path, [0, 1], [2, 3], words=["metrics.threshold=auto"])
    faint = dataclasses.replace(made.members[1], network=Network(lambda x: 0.1 + 0.2 * x))
    made = Ensemble((made.members[0], faint))
    config, groups = made.members[0].config, {(0,): [2, 3], (1,): [0, 1]}
    result = score.score(made, config, CONTENT, groups, name="test", output=tmp_path / "folds")
    said = result.summary["settings"]
    assert said["threshold"] is None
    assert said["rule"].endswith("it, each network's own threshold")


def test_an_ensemble_whose_validation_images_are_gone_predicts_as_it_is(tmp_path, caplog):
    made = seeds(tmp_path, [0, 1], [0, 1])
    config = made.members[0].config
    for member in made.members:
        member.prediction(config, SPEC)  # known
    made.members[1].run.split_file.unlink()
    assert made.prediction(config, SPEC).temperature == 1.0
    assert "so nothing is chosen for the mean of the networks" in caplog.text


WORDS_OF_FOLDS = ("dataset=folder", "split.folds=2", "split.leak_free=false", "dataset.image_size=8")


@pytest.fixture
def folds(tmp_path, monkeypatch):
    """Two folds of four images, and what of them is scored by whom, without networks."""
    for number in range(4):
        label = np.zeros((8, 8), np.uint8)
        label[number:, 2:] = 255
        for part, pixels in (("images", label + number), ("masks", label)):
            (tmp_path / part).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / part / f"{number}.png")
    words = [f"dataset.dir={tmp_path}", *WORDS_OF_FOLDS]
    paths = []
    for fold, parts in enumerate((((2,), (3,), (0, 1)), ((0,), (1,), (2, 3)))):
        paths.append(make_run(tmp_path / f"fold_{fold}", *words, f"split.fold={fold}"))
        run = RunFolder(paths[-1])
        config = Member.of(run.path).config
        division.save_split(run.split_file, datasets.open_dataset(config.dataset), division.Split(*parts))
    monkeypatch.setattr(score.runtime, "start", lambda trainer: None)
    monkeypatch.setattr(score, "score", lambda ensemble, config, dataset, groups, **rest: groups)
    return paths


def test_folds_are_scored_in_another_way_each_by_its_own_split(folds):
    """Millimetres per pixel change no image, and the split of each member stays its own."""
    config = Member.of(folds[0]).config
    assert score.evaluate_runs(folds, config, "test") == {(0,): [0, 1], (1,): [2, 3]}
    changed = config.changed("dataset", spacing=(0.1, 0.1))
    assert score.evaluate_runs(folds, changed, "test") == {(0,): [0, 1], (1,): [2, 3]}
    with raises(ConfigError, key="split.seed", hint="do not set it"):
        score.evaluate_runs(folds, changed.changed("split", seed=7), "test")


def test_a_run_of_other_images_scores_none_of_its_own_and_that_is_said(folds, tmp_path, caplog):
    other = tmp_path / "other"
    for part, grey in (("images", 90), ("masks", 255)):
        (other / part).mkdir(parents=True)
        for number in range(4):
            picture = Image.new("L", (8, 8))
            picture.paste(grey + number * (part == "images"), (1, 1, 5, 5))
            picture.save(other / part / f"{number}.png")
    config = Member.of(folds[0]).config
    words = configs.compose([f"dataset.dir={other}", *WORDS_OF_FOLDS])
    stranger = RunFolder(make_run(tmp_path / "stranger", f"dataset.dir={other}", *WORDS_OF_FOLDS))
    division.save_split(
        stranger.split_file, datasets.open_dataset(words.dataset), division.Split((0, 1), (2,), (3,))
    )
    assert set(score.evaluate_runs([folds[0], stranger.path], config, "test")) == {(0, 1)}
    assert f"{stranger.path} was trained on other images: its own test images are not scored" in caplog.text


def test_a_run_whose_split_is_gone_scores_nothing(folds, caplog):
    config = Member.of(folds[0]).config
    RunFolder(folds[1]).split_file.unlink()
    assert score.evaluate_runs(folds, config, "test") == {(0,): [0, 1]}
    assert f"{folds[1]} is left out: its split.json is gone" in caplog.text
    with raises(ConfigError, key="RUN", value=folds[1], hint="put it back"):
        score.evaluate_runs(folds, config, "all")  # nobody else is new to images 2 and 3
