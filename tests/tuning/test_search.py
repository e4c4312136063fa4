"""A search from beginning to end on trials that train nothing: results, pruning, failures, going on."""

import csv
import json
import shlex

import pytest
from PIL import Image

from dmf_cli.cli.main import main
from dmf_cli.errors import ConfigError, DatasetError, RunFolderError, UnknownNameError, UsageError
from dmf_cli.run_folder import identity
from dmf_cli.tuning import search as searching
from dmf_cli.tuning import study as studies
from tests.raised import raises
from tests.tuning.searching import search, states


def test_the_best_weights_are_found_and_told(plan, stub, capsys):
    code, study = search(plan("trials=14", "pruner=none"), stub)
    said = capsys.readouterr().out
    assert code == 0
    assert states(study) == ["COMPLETE"] * 14
    assert stub.started[0].config.loss.expression == "dice:0.5+bce:0.5"  # as written comes first
    assert all(one.config.weighting.name == "fixed" for one in stub.started)
    found = study.best_trial.user_attrs["words"]
    share = float(next(w for w in found if w.startswith("loss=")).split("dice:")[1].split("+")[0])
    assert share == pytest.approx(0.7, abs=0.1)
    words = shlex.split(said.partition("train the best with new seeds:\n")[2])
    assert words[:3] == ["dmf", "train", "-m"]
    assert "weighting=fixed" in words
    assert "seed=1,2,3,4,5,6" in words  # others than the one that was searched with
    assert not any(word.startswith("study=") for word in words)
    assert [one.path.name for one in stub.started] == [f"{i:03d}" for i in range(14)]


def test_the_files_say_the_same(plan, stub, tmp_path):
    _, study = search(plan("trials=5", "model.filters=choice(4,8)"), stub)
    folder = tmp_path / "study"
    with (folder / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    content = json.loads((folder / "trials.json").read_text())
    assert len(rows) == len(content["trials"]) == 5
    done = [float(row["val_foreground_dice"]) for row in rows if row["state"] == "done"]
    assert done == sorted(done, reverse=True)
    assert done[0] == pytest.approx(study.best_value)
    assert content["train"].startswith("dmf train -m")
    assert content["train"] in (folder / "trials.md").read_text()
    assert {row["model.filters"] for row in rows} <= {"4", "8"}
    with Image.open(folder / "search.png") as image:
        assert min(image.size) > 100


def test_trials_that_are_behind_are_pruned(plan, stub):
    class Late(stub):
        def score(self, epoch):
            return 0.1 if self.path.name > "004" else super().score(epoch)

    code, study = search(plan("trials=8"), Late)
    assert code == 0
    assert states(study)[5:] == ["PRUNED"] * 3
    assert all(len(trial.intermediate_values) < 6 for trial in study.trials[5:])
    assert [one.code for one in Late.started][5:] == [130] * 3


@pytest.mark.parametrize("pruner", ["hyperband", "none"])
def test_other_pruners(plan, stub, pruner):
    assert search(plan("trials=4", f"pruner={pruner}"), stub)[0] == 0


def test_a_failing_trial_is_told_and_the_others_go_on(plan, stub, capsys):
    class Second(stub):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.message = "out of memory" if self.path.name == "001" else ""

    code, study = search(plan("trials=4"), Second)
    assert code == 0
    assert states(study) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    error = capsys.readouterr().err
    assert error.startswith("error: trial 1 (loss=dice:")
    assert error.endswith("out of memory\n")
    assert error.count("\n") == 1


def test_a_search_in_which_everything_fails_ends(plan, stub, capsys):
    class Broken(stub):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.message = "no such folder"

    code, study = search(plan("trials=9"), Broken)
    assert code == 1
    assert states(study) == ["FAIL"] * 3
    assert "the first trials all failed" in capsys.readouterr().err


def test_a_trial_without_memory_beside_another_is_resumed_and_it_says_so(plan, stub, capsys):
    class Crowded(stub):
        def poll(self):
            beside = sum(one.code is None for one in stub.started) > 1
            first = self.path.name == "000" and len(self.rows) > 1  # epochs are there to be resumed
            self.message = "out of memory" if first and beside else ""
            return super().poll()

    code, study = search(plan("trials=2", "workers=2"), Crowded)
    assert (code, states(study)) == (0, ["COMPLETE"] * 2)
    out, err = capsys.readouterr()
    assert "trial 0: again (out of memory beside 1 other job(s)), loss=dice:" in out
    assert err == ""


def test_several_at_a_time(plan, stub):
    most = 0

    class Counted(stub):
        def poll(self):
            nonlocal most
            most = max(most, sum(one.code is None for one in stub.started))
            return super().poll()

    code, study = search(plan("trials=6", "workers=3"), Counted)
    assert (code, most, len(study.trials)) == (0, 3, 6)


def test_only_one_works_on_a_study(plan, stub):
    made = plan("trials=2")
    with studies.opened(made), raises(RunFolderError, path=made.folder, reason="another dmf tune"):
        search(made, stub)


def test_a_study_of_something_else_is_not_gone_on_with(plan, stub, tmp_path):
    search(plan("trials=1"), stub)
    with raises(ConfigError, reason="is of another search"):
        search(plan("trials=1", "ratio=5"), stub)
    (tmp_path / "study/study.json").write_text("{")
    with raises(RunFolderError, reason="is no study"):
        search(plan("trials=1"), stub)


@pytest.fixture
def images(tmp_path):
    """A folder of six images with their masks."""
    for folder in ("images", "masks"):
        (tmp_path / "here" / folder).mkdir(parents=True)
        for number in range(6):
            picture = Image.new("L", (16, 16), 10 + number)
            picture.paste(255, (2, 2, 8, 8))
            picture.point(lambda v, f=folder: v if f == "images" else 255 * (v == 255)).save(
                tmp_path / "here" / folder / f"{number}.png"
            )
    return tmp_path / "here"


def test_a_study_of_images_that_were_moved_is_gone_on_with(stub, images, tmp_path):
    def moved(folder, trials, *words):
        found = ["dataset=folder", f"dataset.dir={folder}", f"output_root={tmp_path / 'runs'}", *words]
        return studies.plan(["loss=dice+bce", *found, f"trials={trials}", "workers=1"])

    first = moved(images, 1)
    search(first, stub)
    there = images.rename(tmp_path / "there")
    again = moved(there, 2, "dataset.image_size=128")  # and one of the defaults is spelt out
    assert again.folder == first.folder
    code, study = search(again, stub)
    assert (code, len(study.trials)) == (0, 2)
    Image.new("L", (16, 16), 99).save(there / "images/0.png")
    identity._fingerprint.cache_clear()
    with raises(ConfigError, reason="is of another search"):
        search(moved(there, 2, f"study={first.folder}"), stub)


def test_images_that_are_not_there_leave_no_study_behind(tmp_path):
    words = [
        "loss=dice+bce",
        "dataset=folder",
        f"dataset.dir={tmp_path / 'gone'}",
        f"study={tmp_path / 'new'}",
    ]
    with raises(DatasetError, key="dataset.dir", reason="not a folder"), studies.opened(studies.plan(words)):
        raise AssertionError("opened")
    assert not (tmp_path / "new").exists()


def test_a_study_of_before_is_known_by_its_words(plan, stub, tmp_path):
    search(plan("trials=1"), stub)
    file = tmp_path / "study/study.json"
    said = json.loads(file.read_text())
    del said["search"]["id"]
    file.write_text(json.dumps(said))
    code, study = search(plan("trials=2"), stub)
    assert (code, len(study.trials)) == (0, 2)


def test_a_damaged_journal_is_told(plan, stub, tmp_path):
    search(plan("trials=1"), stub)
    (tmp_path / "study/journal.log").write_text("{\n{}\n")
    with raises(RunFolderError, path="journal.log", reason="is damaged"):
        search(plan("trials=2"), stub)


def test_the_same_command_finds_the_same_study(tmp_path):
    words = ["loss=dice+bce", f"output_root={tmp_path}"]
    first = studies.plan(words).folder
    assert first.parent == tmp_path / "tune"
    assert first.name.startswith("dice+bce_phantom_")
    assert studies.plan([*words, "trials=50", "workers=2"]).folder == first
    for other in ("seed=1", "ratio=5", "optimizer.learning_rate=interval(0.1,0.2)"):
        assert studies.plan([*words, other]).folder != first


@pytest.mark.parametrize(
    ("words", "error", "fields"),
    [
        (["loss=dice"], UsageError, {"what": "there is nothing to search"}),
        (["weighting=var"], UsageError, {"what": "there is nothing to search"}),
        (["weights=false"], UsageError, {"what": "there is nothing to search"}),
        (["weights=no"], ConfigError, {"key": "weights", "value": "no", "allowed": "true or false"}),
        (["trials=0"], ConfigError, {"key": "trials", "value": "0", "allowed": "a whole number"}),
        (["workers=two"], ConfigError, {"key": "workers", "value": "two"}),
        (["ratio=1"], ConfigError, {"key": "ratio", "value": "1", "allowed": "a number above 1"}),
        (["pruner=mean"], UnknownNameError, {"key": "pruner", "value": "mean"}),
        (["run_dir=x"], ConfigError, {"key": "run_dir", "hint": "set study=PATH"}),
        (["loss=dice+bec"], UnknownNameError, {"value": "bec"}),
        (["trial=3"], ConfigError, {"key": "trial"}),
        (["trails=3,4"], ConfigError, {"key": "trails"}),
        (["trainr.epochs=3"], ConfigError, {"what": "trainr"}),
        (["trainer.batch_size=int(interval(-1,8))"], ConfigError, {"key": "trainer.batch_size", "value": -1}),
        (["model.filters=choice(4,many)"], ConfigError, {"key": "model.filters", "value": "many"}),
        (["weighting=choice(var,vra)"], ConfigError, {"value": "vra"}),
        (["seed=0,1"], ConfigError, {"key": "seed", "reason": "cannot be searched"}),
        (["split.seed=0,1"], ConfigError, {"key": "split.seed", "reason": "cannot be searched"}),
        (["metrics.threshold=0.3,0.5"], ConfigError, {"key": "metrics.threshold"}),
        (["dataset=busi,phantom"], ConfigError, {"key": "dataset", "reason": "cannot be searched"}),
        (["model.filters=interval(4,8)"], ConfigError, {"hint": "write model.filters=int(interval(4,8))"}),
        (["trainer.batch_size=interval(4,8)"], ConfigError, {"hint": "int(interval(4,8))"}),
        (["trainer.monitor=val_objective"], ConfigError, {"key": "trainer.monitor"}),
        (["trainer.precision=auto"], ConfigError, {"key": "trainer.precision", "value": "auto"}),
        (
            ["trainer.precision=choice(float32,auto)"],
            ConfigError,
            {"key": "trainer.precision", "value": "auto"},
        ),
    ],
    ids=str,
)
def test_wrong_words_are_reported_before_anything_runs(words, error, fields):
    with raises(error, **fields) as caught:
        studies.plan(words)
    assert "\n" not in str(caught.value)


def test_an_unknown_option_lists_those_of_the_command():
    with pytest.raises(
        ConfigError, match=r"did you mean 'trials'.*pruner, ratio.*study.*trials.*weights, workers"
    ):
        studies.plan(["trails=3"])


def test_without_optuna_it_says_what_to_install_and_leaves_nothing(plan, monkeypatch, stub):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    wanted = plan("trials=1")
    with pytest.raises(UsageError, match=r"pip install '\.\[tune\]'"):
        search(wanted, stub)
    assert not wanted.folder.exists()


@pytest.mark.parametrize(("often", "lines"), [(0.0, 2), (1e9, 0)])
def test_a_trial_says_what_it_is_at_but_not_all_the_time(plan, stub, monkeypatch, capsys, often, lines):
    class Steady(stub):
        epochs = 4

        def status(self, state):
            super().status(state)
            status = json.loads((self.path / "status.json").read_text())
            (self.path / "status.json").write_text(json.dumps({**status, "epochs": 4}))

    monkeypatch.setattr(searching, "OFTEN", often)
    search(plan("trials=1", "pruner=none"), Steady)
    said = capsys.readouterr().out.splitlines()
    assert said[2].startswith("trial 0: training, loss=")
    assert len([line for line in said if line.startswith("trial 0: epoch ")]) >= lines
    assert any(" of 4, best " in line for line in said) == bool(lines)


def test_help_and_options(capsys):
    with pytest.raises(SystemExit):
        main(["tune", "--help"])
    said = capsys.readouterr().out
    assert all(f"  {key}=" in said for key in studies.OWN)
    assert main(["tune", "--trials", "3"]) == 2
    assert "use trials=3" in capsys.readouterr().err
