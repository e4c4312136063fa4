import csv
import json

import numpy as np
import pytest

from dmf_cli import config as configs
from dmf_cli import weighting
from dmf_cli.cli.main import main
from dmf_cli.errors import ConfigError, UnknownNameError, UsageError
from dmf_cli.replaying import history
from dmf_cli.replaying.strategies import weighting_configs
from tests.raised import raises

TERMS, EPOCH = ("dice", "bce"), 10
STEPS = np.arange(60)


def losses():
    rng = np.random.default_rng(0)
    return np.exp(-STEPS[:, None] / [20.0, 60.0]).astype("float32") + rng.random((60, 2), "float32") / 10


def write(path, columns):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(c).tolist() for c in columns.values()), strict=True))
    return path


@pytest.fixture
def run(tmp_path):
    """A run of 60 steps that was trained with var."""
    overrides = ["loss=dice:3+bce", "weighting=var", "weighting.window=30", "trainer.epochs=6"]
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(configs.to_yaml(configs.compose(overrides)))
    (folder / "status.json").write_text(json.dumps({"state": "completed"}))
    raw = losses()
    used = weighting.replay("var", raw, window=30, warmup=12, prior=[0.75, 0.25])
    columns = {"step": STEPS, "epoch": 1 + STEPS // EPOCH, "loss": (raw * used).sum(1)}
    columns |= {"gamma": 0 * STEPS, "aux": 0 * STEPS}
    columns |= {f"loss.{t}": raw[:, i] for i, t in enumerate(TERMS)}
    write(folder / "steps.csv", columns | {f"weight.{t}": used[:, i] for i, t in enumerate(TERMS)})
    return folder


def summary(folder):
    with (folder / "summary.csv").open(newline="") as file:
        return {(row["weighting"], row["term"]): row for row in csv.DictReader(file)}


def test_a_run_replayed_with_its_own_strategy_gives_its_own_weights(run, capsys):
    assert main(["replay", str(run), "weighting=var,mad,dwa", "weighting.window=30"]) == 0
    found = summary(run / "replay")
    assert list(found) == [(w, t) for w in ("as trained", "var", "mad", "dwa") for t in TERMS]
    assert float(found["var", "dice"]["distance"]) < 1e-7
    assert float(found["mad", "dice"]["distance"]) > 1e-2
    raw = losses()
    mad = weighting.replay("mad", raw, window=30, warmup=12, prior=[0.75, 0.25])[:, 0]
    expected = {"mean": mad.mean(), "final": mad[-1], "min": mad.min(), "max": mad.max()}
    assert {k: float(found["mad", "dice"][k]) for k in expected} == pytest.approx(expected, abs=1e-6)
    columns = history.read_columns(run / "replay" / "weights.csv")
    np.testing.assert_allclose(columns["mad.dice"], mad, atol=1e-7)
    dwa = weighting.replay("dwa", raw, warmup=12, steps_per_epoch=EPOCH, prior=[0.75, 0.25])[:, 1]
    np.testing.assert_allclose(columns["dwa.bce"], dwa, atol=1e-7)
    assert (run / "replay" / "weights.png").stat().st_size > 10_000
    out = capsys.readouterr().out
    assert "as trained" in out
    assert str(run / "replay") in out.replace("\n", "")


def test_a_plain_csv_of_losses(tmp_path, capsys):
    file = write(tmp_path / "mine.csv", {"epoch": STEPS // 10, "a": losses()[:, 0], "b": losses()[:, 1]})
    text = file.read_text().splitlines()
    text[7] = "0,nan,0.5"  # a row that the guard drops
    file.write_text("\ufeff" + "\n".join(text) + "\n\n0,1")  # a cut-off row at the end of a file under way
    out = tmp_path / "out" / "deep"
    assert main(["replay", str(file), "weighting=fixed,cov", "-o", str(out)]) == 0
    found = summary(out)
    assert list(found) == [("fixed", "a"), ("fixed", "b"), ("cov", "a"), ("cov", "b")]
    assert found["fixed", "a"]["mean"] == "0.5"
    assert found["cov", "a"]["distance"] == ""
    assert "distance" not in capsys.readouterr().out
    assert main(["replay", str(file), "weighting=equal"]) == 0
    assert (tmp_path / "mine_replay" / "weights.csv").is_file()


def test_strategies_with_gradients_take_what_the_run_recorded(run, capsys):
    command = ["replay", str(run), "weighting=gradnorm,lr_annealing"]
    assert main(command) == 2
    assert "recorded none: train with trainer.insight_every=10" in capsys.readouterr().err
    every, rng = 5, np.random.default_rng(1)
    sizes = {k: np.exp(rng.normal(size=(12, 2))).astype("float32") for k in history.STATISTICS}
    columns = {f"{k}.{t}": v[:, i] for k, v in sizes.items() for i, t in enumerate(TERMS)}
    write(run / "insight.csv", {"step": STEPS[::every], "epoch": 1 + STEPS[::every] // EPOCH, **columns})
    assert main(command) == 2
    assert "give weighting.every=5" in capsys.readouterr().err
    assert main([*command, "weighting.every=5"]) == 0
    found = history.read_columns(run / "replay" / "weights.csv")
    full = {k: np.repeat(v, every, axis=0) for k, v in sizes.items()}
    for name in ("gradnorm", "lr_annealing"):
        options = {"every": 5, "warmup": 12, "prior": [0.75, 0.25]}
        expected = weighting.replay(name, losses(), gradients=full, **options)
        np.testing.assert_allclose(found[f"{name}.bce"], expected[:, 1], atol=1e-6)


def test_parameters_go_to_the_strategies_that_have_them():
    found = weighting_configs(["weighting=mad,dwa", "weighting.window=60", "weighting.temperature=3"])
    assert (found["mad"].params["window"], found["dwa"].params["temperature"]) == (60, 3)
    assert "window" not in found["dwa"].params
    assert weighting_configs(["weighting=bayes_reference"])["bayes_reference"].name == "bayes"


@pytest.mark.parametrize(
    ("overrides", "kind", "fields"),
    [
        (["weighting=mda"], UnknownNameError, {"value": "mda"}),
        (["weighting=mad", "weighting.windw=9"], UnknownNameError, {"key": "weighting.windw"}),
        (["weighting=mad,var", "weighting.temperature=2"], ConfigError, {"key": "weighting.temperature"}),
        (["weighting="], ConfigError, {"key": "weighting", "hint": "as weighting=mad,var"}),
        (["weighting.window=9"], ConfigError, {"key": "weighting", "what": "no strategy"}),
        (["mad"], ConfigError, {"key": "mad", "allowed": "weighting=A,B"}),
        (["weighting=mad", "trainer.epochs=2"], ConfigError, {"key": "trainer.epochs", "value": "2"}),
        (["weighting=mad", "weighting.window=x"], ConfigError, {"key": "weighting.window", "value": "x"}),
    ],
)
def test_wrong_overrides(overrides, kind, fields):
    with raises(kind, **fields):
        weighting_configs(overrides)


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        ("", [], "is empty"),
        ("\n\n", [], "is empty"),
        ("a,b\n", [], "no rows"),
        ("1,2\n3,4\n", [], "starts with numbers"),
        ("a,a\n1,2\n", [], "names a column twice"),
        ("step,epoch\n1,2\n", [], "no losses"),
        ("a,b\n1,2\n3,oops\n", [], "line 3: b is 'oops', no number: mend it"),
        ("a,b\n1,2\n3\n4,5\n", [], "has 1 cells in line 3 and 2 in the header"),
        ("a,b\nnan,1\ninf,2\n", [], "no row in which all of a, b are finite"),
        ("a,b\n" + "1,2\n" * 20, ["weighting.warmup=30"], "20 rows and weighting.warmup is 30"),
        ("a,b\n1,2\n", [], "1 rows and weighting.warmup is 1"),
        ("a,b\n" + "1,-2\n" * 20, ["weighting=cov"], "cov needs losses of 0 and above, and b is negative"),
        ("a,b\n" + "1,2\n" * 20, ["weighting=dwa"], "steps_per_epoch is not given"),
        ("a,b\n" + "1,2\n" * 20, ["weighting=gradnorm"], "needs the gradient of each loss"),
    ],
)
def test_wrong_files_are_reported_in_one_line(tmp_path, capsys, text, more, says):
    file = tmp_path / "losses.csv"
    file.write_text(text)
    assert main(["replay", str(file), "weighting=var", *more]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == [file]


def test_a_record_of_gradients_that_lacks_a_column_is_one_line(run):
    columns = {f"{kind}.{term}": np.ones(60) for kind in ("norm", "mean_abs") for term in TERMS}
    write(run / "insight.csv", {"step": STEPS, "epoch": 1 + STEPS // EPOCH, **columns})
    with raises(UsageError, path=run / "insight.csv", reason="has no column max_abs.dice"):
        history.read(run)


def test_a_cell_without_an_end_is_one_line(tmp_path):
    (tmp_path / "losses.csv").write_text(f"a,b\n{'1' * 200_000},1\n")
    with raises(UsageError, path=tmp_path / "losses.csv", reason="is no table"):
        history.read(tmp_path / "losses.csv")


def test_a_source_that_is_not_there(tmp_path, run, capsys):
    assert main(["replay", str(tmp_path / "rum"), "weighting=var"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert main(["replay", str(run)]) == 2
    assert "weighting=A,B" in capsys.readouterr().err
    (run / "steps.csv").unlink()
    assert main(["replay", str(run), "weighting=var"]) == 2
    assert "no steps.csv yet" in capsys.readouterr().err
