"""What is scored, what the network has seen of it, and the names of the files."""

import json

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli.datasets.base import Dataset, Sample
from dmf_cli.datasets.splits import division
from dmf_cli.errors import ConfigError, DatasetError
from dmf_cli.inference import seen
from dmf_cli.inference.assignment import assign
from dmf_cli.inference.selection import NAME_LENGTH, Scored
from dmf_cli.run_folder import moved
from dmf_cli.run_folder.folder import RunFolder
from tests.raised import raises


class Images(Dataset):
    """One grey value an image."""

    classes, channels = ("background", "lesion"), 1

    def __init__(self, values, name="busi", prefix="", synthetic=False):
        self.name, self.values, self.synthetic = name, list(values), synthetic
        self.ids = tuple(f"{prefix}{value:03}" for value in self.values)
        self.strata = ("all",) * len(self.ids)

    def load(self, index):
        return Sample(np.full((4, 4, 1), self.values[index], np.uint8), np.zeros((4, 4), np.uint8))

    def fingerprint(self):
        return repr((self.ids, self.values))


@pytest.fixture(scope="module")
def trained():
    return configs.compose(["dataset=busi", "dataset.dir=/images"])


@pytest.fixture
def run(tmp_path):
    """Trained on 0 to 5, best epoch by 6 and 7, tested on 8 and 9."""
    found = RunFolder(tmp_path)
    split = division.Split((0, 1, 2, 3, 4, 5), (6, 7), (8, 9))
    division.save_split(found.split_file, Images(range(10)), split)
    return found


@pytest.fixture
def scored(run, trained):
    def of(images, part, **changes):
        config = trained
        for group, values in changes.items():
            config = config.changed(group, **values)
        return Scored(run, trained, config, images, part)

    return of


def values(found):
    return [found._dataset.values[i] for i in found.indices]


@pytest.mark.parametrize(
    ("split", "seen"),
    [
        ("test", {}),
        ("val", {"seen": {"train": 0, "val": 2}}),
        ("train", {"seen": {"train": 6, "val": 0}}),
        ("all", {"seen": {"train": 6, "val": 2}}),
    ],
)
def test_images_that_the_network_has_seen_are_counted(scored, split, seen):
    found = scored(Images(range(10)), split)
    assert (found.name, found.settings) == (split, seen)


def test_images_of_the_run_keep_their_part_whatever_else_of_them_is_changed(scored):
    # Six more images than the run had: a new split would deal those of the training into the test.
    found = scored(Images(range(16)), "test", dataset={"strata": None})
    assert values(found) == [8, 9, 10, 11, 12, 13, 14, 15]
    assert (found.name, found.settings) == ("test_strata=null", {})
    assert values(scored(Images(range(4, 16)), "train", dataset={"strata": None})) == [4, 5]
    with raises(ConfigError, key="split.seed", value=1, reason="10 of these images have the split"):
        scored(Images(range(16)), "test", dataset={"strata": None}, split={"seed": 1})


def test_images_of_the_run_are_known_under_other_names_and_in_another_folder(scored):
    elsewhere = Images([0, 1, 7, 20], name="folder", prefix="copy_")
    found = scored(elsewhere, "all", dataset={"name": "folder", "dir": "/else/where"})
    assert found.settings == {"seen": {"train": 2, "val": 1}}
    assert values(scored(elsewhere, "test", dataset={"dir": "/else/where"})) == [20]


@pytest.mark.parametrize(
    ("changes", "name"),
    [({}, "test"), ({"threshold": 9}, "test_threshold=9")],
)
def test_images_that_were_moved_are_the_run_s_own(run, trained, changes, name):
    config = trained.changed("dataset", dir="/new/place", **changes)
    own = moved.at_new_places(run, trained, config, Images(range(10)))
    found = Scored(run, own, config, Images(range(10)), "test")
    assert (found.name, found.settings, values(found)) == (name, {}, [8, 9])


def test_moved_images_keep_the_split_of_the_run(run, trained):
    config = trained.changed("dataset", dir="/new/place").changed("split", seed=1)
    own = moved.at_new_places(run, trained, config, Images(range(10)))
    for part in ("test", "all"):
        with raises(ConfigError, key="split.seed", value=1, reason="10 of these images have the split"):
            Scored(run, own, config, Images(range(10)), part)


def test_other_images_in_another_place_are_other_images(run, trained):
    config = trained.changed("dataset", dir="/new/place")
    assert moved.at_new_places(run, trained, config, Images(range(11))) is trained
    run.split_file.unlink()  # nobody knows which images the run had
    assert moved.at_new_places(run, trained, config, Images(range(10))) is trained


def test_where_a_phantom_is_kept_is_no_part_of_the_name(tmp_path):
    trained = configs.compose([])
    config = trained.changed("dataset", data_dir="/cache", count=14)
    run, phantom = RunFolder(tmp_path), Images(range(14), "phantom", synthetic=True)
    division.save_split(
        run.split_file, Images(range(10), "phantom", synthetic=True), division.Split((0, 1), (2,), (3,))
    )
    own = moved.at_new_places(run, trained, config, phantom)
    assert Scored(run, own, config, phantom, "all").name == "all_count=14"


def test_images_made_from_the_same_seed_are_known_by_their_number(tmp_path):
    trained = configs.compose([])
    run, phantom = RunFolder(tmp_path), Images(range(10), "phantom", synthetic=True)
    division.save_split(run.split_file, phantom, division.Split((0, 1, 2, 3, 4, 5), (6, 7), (8, 9)))
    more = Images(range(14), "phantom", synthetic=True)
    config = trained.changed("dataset", count=14)
    assert values(Scored(run, trained, config, more, "test")) == [8, 9, 10, 11, 12, 13]
    config = config.changed("dataset", seed=7)
    found = Scored(run, trained, config, more, "all")
    assert (found.name, found.settings) == ("all_count=14_seed=7", {})


def test_other_images_have_a_split_of_their_own_and_are_new(scored):
    other = {"name": "folder", "dir": "/clinic/scans"}
    found = scored(Images(range(100, 140), name="folder"), "test", dataset=other, split={"seed": 1})
    assert 0 < len(found.indices) < 20
    assert found.settings == {}


def test_it_is_said_that_the_split_of_the_run_is_gone(scored, run):
    run.split_file.unlink()
    assert scored(Images(range(100, 104)), "all", dataset={"dir": "/other"}).settings == {"seen": None}


def test_two_folders_of_one_name_never_share_a_file(scored):
    names = set()
    for values_, folder in ((range(100, 104), "/a/scans"), (range(200, 204), "/b/scans")):
        dataset = {"name": "folder", "dir": folder}
        found = scored(Images(values_, name="folder"), "all", dataset=dataset)
        assert found.name.startswith("folder_all_scans-")
        names.add(found.name)
    assert len(names) == 2


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "test"),
        ({"trainer": {"batch_size": 3}}, "test"),
        ({"metrics": {"threshold": 0.3}}, "test_threshold=0.3"),
        (
            {"metrics": {"empty": "one"}, "eval": {"resolution": "network"}},
            "test_empty=one_resolution=network",
        ),
        ({"predict": {"mirror": True, "decision": "dice"}}, "test_mirror=true_decision=dice"),
        ({"metrics": {"threshold": "auto"}}, "test_threshold=auto"),
        # More columns beside the same ones: what dmf compare reads.
        ({"metrics": {"name": "full", "missed": "nan", "tolerance": 2}}, "test"),
        ({"metrics": {"name": "full", "missed": "nan", "threshold": 0.3}}, "test_threshold=0.3"),
        ({"dataset": {"classes": ["a/b", "c"]}}, "test_classes=a-b-c"),
    ],
)
def test_a_score_under_other_settings_has_another_name(scored, changes, name):
    assert scored(Images(range(10)), "test", **changes).name == name


def test_a_run_of_full_metrics_keeps_them(run, trained):
    own = trained.with_group("metrics", configs.compose(["metrics=full"]).plain["metrics"])
    names = []
    for other in (own, own.changed("metrics", missed="nan"), trained):
        names.append(Scored(run, own, other, Images(range(10)), "test").name)
    assert names == ["test", "test_missed=nan", "test_metrics=default"]


def test_a_metric_of_the_user_beside_the_same_ones_is_no_other_score(run, trained):
    """The files have more columns then; fewer, or another tolerance, have files of their own."""
    mine, both = ({name: {"tolerance": 2} for name in names} for names in (["mine"], ["mine", "more"]))
    with_mine = trained.changed("metrics", own=mine)
    others = (
        with_mine,
        trained.changed("metrics", own=both),
        trained.changed("metrics", own={"mine": {"tolerance": 3}}),
        trained,
    )
    names = [Scored(run, with_mine, other, Images(range(10)), "test").name for other in others]
    assert names == ["test", "test", "test_own.mine.tolerance=3", "test_own.mine.tolerance=null"]
    assert Scored(run, trained, with_mine, Images(range(10)), "test").name == "test"


def test_a_long_name_is_cut_and_still_its_own(scored):
    one, other = (
        scored(Images(range(10)), "test", dataset={"classes": ["background", "x" * 300 + end]}).name
        for end in "ab"
    )
    assert one != other
    assert len(one) <= NAME_LENGTH + len("test_")


def began_with(path, weights, split=((0, 1, 2), (3,), (4, 8))):
    """A run at ``path`` whose first weights are those of ``weights``."""
    path.mkdir()
    later, before = RunFolder(path), seen.before(str(weights), None)
    division.save_split(later.split_file, Images(range(10)), division.Split(*split), before)
    return later


@pytest.fixture
def known(run, trained):
    run.write_config(configs.to_yaml(trained))
    run.write_status("completed")
    return run


@pytest.mark.parametrize("named", ["", "checkpoints/best.keras"])
def test_images_that_the_first_weights_were_trained_on_are_no_test(known, trained, tmp_path, named):
    later = began_with(tmp_path / "later", known.path / named)
    found = Scored(later, trained, trained, Images(range(10)), "test")
    assert values(found) == [4, 8]
    assert found.settings == {"seen": {"train": 1, "val": 0}}
    assert found.parts([0, 4, 6, 8, 9]) == {0: "train", 4: "train", 6: "val", 8: "test"}
    later.write_config(configs.to_yaml(trained))
    later.write_status("completed")
    third = began_with(tmp_path / "third", later.path, ((8,), (9,), (5,)))
    assert Scored(third, trained, trained, Images(range(10)), "test").settings["seen"]["train"] == 1
    assert seen.before(None, third.split_file) == seen.before(str(later.path), None)  # as it was


def test_a_run_says_at_its_start_which_test_images_its_first_weights_know(known, trained):
    images, before = Images(range(10)), seen.before(str(known.path), None)
    (line,) = seen.warning(before, trained, images, division.Split((8, 9), (7,), (4, 5, 6)))
    assert "were trained on 3 of the 3 test images or chosen by them" in line
    assert seen.warning(before, trained, images, division.Split((0, 4, 5, 6), (7,), (8, 9))) == []
    assert seen.warning([None], trained, images, division.Split((8, 9), (7,), (4, 5, 6))) == []


def test_what_weights_of_a_file_have_seen_is_not_known(known, trained, tmp_path):
    (tmp_path / "net.keras").touch()
    later = began_with(tmp_path / "later", tmp_path / "net.keras")
    assert Scored(later, trained, trained, Images(range(10)), "test").settings == {"seen": None}
    assert Scored(later, trained, trained, Images(range(10)), "train").settings["seen"]["train"] == 3


def test_first_weights_of_a_phantom_know_its_images_by_their_number(tmp_path):
    trained = configs.compose([])
    run, phantom = RunFolder(tmp_path), Images(range(10), "phantom", synthetic=True)
    run.write_config(configs.to_yaml(trained))
    run.write_status("completed")
    division.save_split(run.split_file, phantom, division.Split((0, 1, 2), (3,), (4,)))
    before = seen.before(str(run.path), None)
    assert set(before[0]["dataset"]) == {"seed", "name", "kind"}  # and no path
    other = division.Split((4,), (5,), (0, 1))
    assert len(seen.warning(before, trained, phantom, other)) == 1
    assert seen.warning(before, trained.changed("dataset", seed=7), phantom, other) == []


@pytest.mark.parametrize("before", [{}, [3], [{"train": 3}], [{"hashes": []}]])
def test_a_split_file_whose_earlier_runs_are_something_else_is_refused(run, before):
    content = json.loads(run.split_file.read_text())
    run.split_file.write_text(json.dumps({**content, "before": before}))
    reason = "is no split file, in which before is a list of what earlier runs have seen"
    with raises(DatasetError, path=run.split_file, reason=reason):
        division.read_split(run.split_file)


def test_folds_that_began_with_one_run_score_what_they_did_not_train_on_themselves(known, trained, tmp_path):
    """The run had all but 8 and 9: of the rest no fold is new, and yet each has a network that fits best."""
    splits = ((0, 1, 2, 3), (8,), (4, 5, 6, 7, 9)), ((4, 5, 6, 7), (9,), (0, 1, 2, 3, 8))
    folds = [began_with(tmp_path / str(n), known.path, split) for n, split in enumerate(splits)]
    groups, settings = assign([Scored(run, trained, trained, Images(range(10)), "test") for run in folds])
    assert groups == {(0,): [4, 5, 6, 7, 9], (1,): [0, 1, 2, 3, 8]}
    assert settings == {"members": [1], "seen": {"train": 6, "val": 2}}


def test_a_split_file_that_is_older_than_this_says_nothing_of_the_first_weights(run, known, trained):
    older = trained.changed("model", weights=str(known.path))
    assert Scored(run, older, older, Images(range(10)), "test").settings == {"seen": None}
    run.write_config(configs.to_yaml(older))
    assert seen.before(str(run.path), None)[1:] == [None]
    assert seen.before(str(known.path), run.split_file) == [None]  # resumed, or extended


def test_nothing_is_known_of_a_split_that_was_written_by_hand(known):
    content = json.loads(known.split_file.read_text())
    del content["hashes"]
    known.split_file.write_text(json.dumps(content))
    assert seen.before(str(known.path), None) == [None]
