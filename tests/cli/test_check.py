"""``dmf check``: which parts, what it prints, what it ends with."""

import json
import subprocess

import pytest

from dmf_cli import checking
from dmf_cli.checking.findings import FAILED, NOTED, PASSED, SKIPPED, PropertyResult
from dmf_cli.cli import check
from dmf_cli.cli.main import main
from dmf_cli.errors import ConfigError, PluginError, UnknownNameError, UsageError
from dmf_cli.parts import plugins
from tests.raised import raises

MY = """\
import dmf_cli
from keras import ops


@dmf_cli.loss
def square(y_true, y_pred, *, alpha=0.3):
    \"\"\"Squared errors.\"\"\"
    return ops.mean((ops.cast(y_true, "float32") - ops.cast(y_pred, "float32")) ** 2) * alpha


@dmf_cli.loss
def dead(y_true, y_pred):
    \"\"\"No gradient.\"\"\"
    return ops.mean(ops.abs(y_true - ops.round(y_pred)))


@dmf_cli.metric(better="low")
def area(truth, prediction, *, tolerance=0.0):
    \"\"\"Error of the area.\"\"\"
    return max(0.0, abs(int(truth.sum()) - int(prediction.sum())) - tolerance)


@dmf_cli.loss
def wrong(y_true, y_pred):
    \"\"\"A misspelt function.\"\"\"
    return ops.meen(y_pred)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with a plugin, which no other test sees."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(MY)
    with plugins.isolated():
        yield "plugins=my.py"


@pytest.fixture
def outcomes(monkeypatch):
    """What each part is said to have, without trying it: (kind, name, params) of all that were asked for."""
    asked = []

    def said(kind, name, params):
        asked.append((kind, name, params))
        yield PropertyResult("a gradient", PASSED, "a figure")
        yield PropertyResult("float16", NOTED, "cast first")
        yield PropertyResult("odd sizes", SKIPPED)
        if name == "dead":
            yield PropertyResult("order", FAILED, "0.5, and 0.6", "y_true = np.array([0.0])\ny_pred = 1")

    monkeypatch.setattr(checking, "check", said)
    monkeypatch.setattr(check, "_start", lambda words, parts: "tensorflow")
    return asked


def test_words_name_parts_with_parameters(outcomes) -> None:
    words = [
        "loss=dice,ce",
        "loss.terms.dice.smooth=0.5",
        "model=unet",
        "model.filters=3",
        "weighting=var,mad",
    ]
    assert main(["check", *words]) == 0
    assert [(kind, name) for kind, name, _ in outcomes] == [
        ("loss", "dice"),
        ("loss", "ce"),
        ("model", "unet"),
        ("strategy", "var"),
        ("strategy", "mad"),
    ]
    assert outcomes[0][2]["smooth"] == 0.5
    assert outcomes[2][2]["filters"] == 3
    assert not {"name", "head", "weights"} & set(outcomes[2][2])
    assert "name" not in outcomes[3][2]


def test_a_preset_is_its_strategy_with_its_parameters(outcomes) -> None:
    assert main(["check", "weighting=var_reference"]) == 0
    ((kind, name, params),) = outcomes
    assert (kind, name) == ("strategy", "var")
    assert params["window"] > 0


def test_without_a_choice_all_parts_of_the_plugins(mine, outcomes) -> None:
    assert main(["check", mine]) == 1
    losses = [("loss", "square", {"alpha": 0.3}), ("loss", "dead", {}), ("loss", "wrong", {})]
    assert outcomes == [*losses, ("metric", "area", {"tolerance": 0.0})]


def test_each_part_takes_the_words_that_are_for_it(mine, outcomes) -> None:
    words = ["loss.terms.square.alpha=0.5", "metrics.own.area.tolerance=3", "model=unet", "model.filters=2"]
    assert main(["check", mine, "loss=square", "loss=dice", "metric=area,dice", *words]) == 0
    assert [(kind, name) for kind, name, _ in outcomes] == [
        ("loss", "square"),
        ("loss", "dice"),
        ("metric", "area"),
        ("metric", "dice"),
        ("model", "unet"),
    ]
    assert outcomes[0][2] == {"alpha": 0.5}
    assert outcomes[2][2] == {"tolerance": 3.0}
    assert outcomes[3][2] == {}


def test_metrics_are_chosen_as_for_train_too(mine, outcomes) -> None:
    words = ["metrics=default+area", "metrics=full+area", "metrics.own.area.tolerance=3", "loss=square"]
    assert main(["check", mine, *words]) == 0
    assert outcomes == [("metric", "area", {"tolerance": 3.0}), ("loss", "square", {"alpha": 0.3})]


def test_a_word_that_names_nothing_to_check_is_an_error(mine, outcomes) -> None:
    with raises(UsageError, what="metrics=full names no metric of yours", hint="metric=dice"):
        check.run([mine, "metrics=full"])
    with raises(UnknownNameError, key="metric", value="aera"):
        check.run([mine, "metrics=default+aera"])
    with raises(UsageError, what="dataset=busi", hint="dmf data check dataset=busi"):
        check.run([mine, "loss=square", "dataset=busi"])
    assert outcomes == []


def test_a_table_then_the_smallest_input_of_each_failure(mine, outcomes, capsys) -> None:
    assert main(["check", mine, "loss=square,dead", "loss.terms.square.alpha=0.5"]) == 1
    out = capsys.readouterr().out
    assert "loss square, my.py, line 6 (alpha=0.5)\n" in out
    assert "ok      a gradient                      a figure\n" in out
    assert "note    float16                         cast first\n" in out
    assert "FAILED  order                           0.5, and 0.6\n" in out
    example = "FAILED loss dead: order\n    y_true = np.array([0.0])\n    y_pred = 1\n"
    assert out.index(example) > out.index("loss dead, my.py")
    assert "\n2 hold, 2 notes, 2 do not apply, 1 FAILED, in " in out


def test_a_terminal_gets_a_table(outcomes, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["check", "loss=dice"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok ") and "a figure" in line for line in lines)


def test_json_is_for_programs(mine, outcomes, capsys) -> None:
    assert main(["check", mine, "loss=dead", "--json"]) == 1
    *_, last = json.loads(capsys.readouterr().out)
    example = "y_true = np.array([0.0])\ny_pred = 1"
    assert last == {
        "kind": "loss",
        "part": "dead",
        "backend": "tensorflow",
        "name": "order",
        "state": "FAILED",
        "detail": "0.5, and 0.6",
        "example": example,
    }


def test_the_other_backends_have_a_process_each(outcomes, monkeypatch, capsys) -> None:
    import keras

    here = keras.backend.backend()
    other = next(name for name in ("jax", "tensorflow") if name != here)
    monkeypatch.setattr("dmf_cli.cli.doctor.BACKENDS", (here, other))
    one = {"kind": "loss", "part": "dice", "backend": other, "name": "compiled", "state": "FAILED"}
    ran = []

    def run(command, **options):
        ran.append(command)
        return subprocess.CompletedProcess(
            command, 1, json.dumps([{**one, "detail": "so", "example": "x = 1"}]), ""
        )

    monkeypatch.setattr(subprocess, "run", run)
    assert main(["check", "loss=dice", "--backends", f"trainer.backend={here}"]) == 1
    assert ran[0][1:] == ["-P", "-m", "dmf_cli", "check", "--json", "loss=dice", f"trainer.backend={other}"]
    out = capsys.readouterr().out
    assert f"on {other}\nFAILED  dice: compiled" in out
    assert "FAILED loss dice: compiled\n    x = 1\n" in out


def test_a_backend_that_cannot_be_tried_is_an_error(outcomes, monkeypatch, capsys) -> None:
    monkeypatch.setattr("dmf_cli.cli.doctor.BACKENDS", ("jax", "tensorflow"))
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 3, "", "a\nno GPU")
    )
    assert main(["check", "loss=dice", "--backends"]) == 1
    assert "ended with code 3: no GPU" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "error", "key"),
    [
        (["loss=cee"], ConfigError, None),
        (["model=unet", "model.filter=2"], ConfigError, None),
        (["weighting=vra"], ConfigError, None),
        (["metric=dcie"], UnknownNameError, "metric"),
        (["plugins=none.py"], PluginError, None),
        ([], UsageError, None),
    ],
)
def test_a_wrong_word_is_the_error_that_train_gives(words, error, key, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with plugins.isolated(), raises(error, **({"key": key} if key else {})):
        check.run(words)


def test_a_plugin_of_data_alone_is_told_of_its_own_check(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.py").write_text("import dmf_cli\n\n\n@dmf_cli.dataset\ndef scans():\n    yield 1\n")
    with plugins.isolated(), raises(UsageError, hint="dmf data check dataset=scans"):
        check.run(["plugins=data.py"])


def test_parts_are_really_tried(mine, capsys) -> None:
    assert main(["check", mine]) == 1
    out = capsys.readouterr().out
    assert "'keras.ops' has no attribute 'meen' (my.py, line 26)" in out
    failed = [line for line in out.splitlines() if line.startswith("FAILED loss")]
    assert failed == [
        "FAILED loss dead: a gradient",
        "FAILED loss dead: least at a perfect match",
        "FAILED loss wrong: gives one finite number",
    ]
    assert '    y_pred = np.array([[[[0.293]]]], "float32")' in out
