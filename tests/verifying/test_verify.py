"""A run repeats, or the first thing is named in which it does not; it is only read."""

import csv
import hashlib
import json

import pytest

from dmf_cli.cli.main import main
from dmf_cli.errors import ConfigError, DatasetError, RunFolderError
from dmf_cli.verifying import conditions, differences, verify
from dmf_cli.verifying.differences import Mismatch
from tests.raised import raises


def state(folder):
    """Content and time of every file, and every folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in sorted(folder.rglob("*"))
    }


def verified(folder, *options):
    return verify.verify(folder, verify.recorded_config(folder), *options)


def edit(file, row, column, value):
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[row][column] = value
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_a_run_repeats_to_the_last_bit_and_is_only_read(run, capsys):
    before = state(run)
    assert main(["verify", str(run)]) == 0
    found = capsys.readouterr().out.splitlines()[-1]
    assert found.endswith("repeats, bitwise")
    assert state(run) == before


def test_its_first_steps_are_enough_to_name_one_that_differs(run, capsys):
    """Five steps: the first epoch, and one step of the second."""
    found = verified(run, 5)
    assert (found.equal, found.bitwise, found.compared) == (True, True, ("the split", "5 steps", "1 epoch"))
    edit(run / "steps.csv", 4, "loss.bce", "0.5")
    edit(run / "steps.csv", 6, "loss.bce", "0.5")
    assert main(["verify", str(run), "--steps", "5"]) == 1
    assert " step 4: loss.bce is " in capsys.readouterr().out


def test_a_backend_that_has_other_threads_than_the_run_had_promises_no_bits(run):
    """It started before, for another run of an archive: to keep to fewer processors comes too late."""
    file = run / "environment.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({**facts, "cores": 1 if facts["cores"] > 1 else 2}))
    found = verified(run, 1)
    assert (found.equal, found.bitwise) == (True, False)
    assert any(line.startswith("cores: ") for line in found.changed)


def split(run, change):
    file = run / "split.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return content


@pytest.mark.parametrize(
    ("file", "row", "column", "kind", "name"),
    [
        ("steps.csv", 3, "weight.cbdice", "step", "3"),
        ("epochs.csv", 1, "val_foreground_dice", "epoch", "2"),
        ("metrics/test_per_image.csv", 1, "foreground.dice", "image", None),
    ],
)
def test_a_value_that_was_changed_is_found(run, repeated, file, row, column, kind, name):
    assert verified(run).equal
    edit(run / file, row, column, "0.123456")
    found = verified(run).difference
    assert (found.kind, found.what, found.recorded) == (kind, column, "0.123456")
    assert name in (None, found.name)


def cut(file, rows):
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[: rows + 1]))


@pytest.mark.parametrize(("file", "rows"), [("steps.csv", 3), ("steps.csv", 0), ("epochs.csv", 1)])
def test_a_table_that_was_cut_hides_nothing(run, repeated, file, rows):
    edit(run / "epochs.csv", 1, "val_foreground_dice", "0.123456")
    cut(run / file, rows)
    found = verified(run).difference
    assert (found.kind, found.name, found.what) == ("file", file, "the number of rows")


def test_scores_that_are_gone_are_a_difference(run, repeated):
    (run / "metrics/test_per_image.csv").unlink()
    assert verified(run).difference.name == "metrics/test_per_image.csv"


def test_a_split_that_is_none_is_refused_before_anything_is_trained(run, repeated):
    split(run, lambda content: content.update(hashes=["a"]))
    with pytest.raises(DatasetError):
        verified(run)


def test_of_a_run_that_went_back_only_the_steps_before_are_verified(run, repeated):
    verify.RunFolder(run).write_status("completed", rollback={"epoch": 1, "step": 2, "factor": 0.1})
    with raises(RunFolderError, hint="verify the steps before it with --steps"):
        verified(run)
    with raises(ConfigError, key="--steps", value=7):
        verified(run, 7)
    assert verified(run, 6).equal


def test_an_image_in_another_part_and_one_with_another_content_are_named(run, repeated):
    moved = split(run, lambda content: content["test"].append(content["train"].pop(0)))["test"][-1]
    found = verified(run).difference
    assert (found.kind, found.name, found.recorded, found.again) == ("image", moved, "test", "train")
    before, after = ({"hashes": {"a": "1", "b": one}} for one in ("2", "3"))
    assert differences.of_split(before, after).name == "b"
    assert differences.of_split({"fingerprint": "1"}, {"fingerprint": "2"}).name == "split.json"


def test_another_file_of_the_network_and_other_weights_are_named(run, repeated):
    found = verify.verify(run, verify.recorded_config(run), weights="0" * 64).difference
    assert (found.kind, found.recorded) == ("weights", "0" * 64)
    (run / "checkpoints/best.keras").rename(run / "elsewhere.keras")
    again = verify.verify(run, verify.recorded_config(run), weights="0" * 64)
    assert (again.difference.kind, len(again.compared)) == ("weights", 4)
    (run / "elsewhere.keras").rename(run / "checkpoints/best.keras")
    network = run / "checkpoints/best.keras"
    network.write_bytes(network.read_bytes() + b"\0")
    found = verified(run).difference
    assert (found.kind, found.name) == ("file", "checkpoints/best.keras")
    assert found.again == hashlib.sha256(network.read_bytes()).hexdigest()


def test_on_another_machine_numbers_may_differ_a_little(run, repeated):
    file = run / "environment.json"
    environment = json.loads(file.read_text())
    environment["packages"]["keras"] = "3.0.0"
    file.write_text(json.dumps(environment))
    network = run / "checkpoints/best.keras"
    network.unlink()
    recorded = verify.RunFolder(run).read_steps()["loss"][2]
    edit(run / "steps.csv", 2, "loss", f"{recorded + 0.005:.9g}")
    found = verified(run)
    assert (found.equal, found.bitwise, found.tolerance) == (True, False, verify.TOLERANCE)
    assert any("keras" in line and "3.0.0 there" in line for line in found.changed)
    assert verify.verify(run, verify.recorded_config(run), tolerance=0.001).difference.name == "2"


@pytest.mark.parametrize(
    ("change", "bitwise"),
    [
        ({"commit": "abc"}, True),
        ({"packages": {"keras": "1", "rich": "2"}}, True),
        ({"packages": {"keras": "2", "rich": "1"}}, False),
        ({"processor": "another"}, False),
        ({"cores": 1}, False),
        ({"dmf": "9"}, False),
        ({"runtime": {"device": "gpu:0"}}, False),
        ({"runtime": {"device": "cpu", "shared": 1}}, True),
        ({"runtime": {"device": "cpu", "shared": 2}}, False),
        ({"variables": {"TF_ENABLE_ONEDNN_OPTS": "0"}}, False),
    ],
)
def test_what_has_to_be_the_same_for_bits(change, bitwise):
    recorded = {"dmf": "1", "packages": {"keras": "1", "rich": "1"}, "runtime": {"device": "cpu"}}
    assert conditions.compared(recorded, {**recorded, **change}).bitwise == bitwise


def test_a_gpu_never_promises_bits():
    environment = {"runtime": {"device": "gpu:0"}}
    assert not conditions.compared(environment, environment).bitwise


@pytest.mark.parametrize(
    ("recorded", "again", "tolerance", "same"),
    [
        (1.0, 1.0, 0.0, True),
        (1.0, 1.0 + 1e-9, 0.0, False),
        (float("nan"), float("nan"), 0.0, True),
        (float("nan"), 1.0, 1.0, False),
        (float("inf"), 1.0, 1.0, False),
        (100.0, 100.9, 0.01, True),
        (0.1, 0.109, 0.01, True),
        (0.1, 0.12, 0.01, False),
    ],
)
def test_when_two_numbers_are_equal(recorded, again, tolerance, same):
    assert differences.near(recorded, again, tolerance) == same


def test_missing_rows_and_columns_differ():
    columns = {"step": [0.0, 1.0], "loss": [1.0, 2.0]}
    short = {"step": [0.0], "loss": [1.0]}
    assert differences.of_rows("step", columns, short, 0.0, 2).again == "1"
    assert differences.of_rows("step", columns, {"step": [0.0, 1.0]}, 0.0, 2).what == "column loss"
    assert differences.of_rows("step", columns, short, 0.0, 1) is None
    said = str(Mismatch("step", "3", "loss", "1", "2"))
    assert said == "step 3: loss is 2 and was 1"


def test_what_cannot_be_verified_is_a_usage_error(run, tmp_path, capsys):
    with raises(ConfigError, key="--steps"):
        verified(run, 9)
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "state": "failed"}))
    with pytest.raises(RunFolderError):
        verified(run)
    (run / "status.json").write_text(json.dumps({**status, "parent": {"path": "elsewhere"}}))
    with pytest.raises(RunFolderError):
        verify.recorded_config(run)
    assert main(["verify", str(run)]) == 2
    assert main(["verify", str(tmp_path)]) == 2
    assert main(["verify", str(run), "seed=3"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3
