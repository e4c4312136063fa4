"""The scripts that measure: their arithmetic, their page, and the smallest runs."""

import argparse
import csv
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dmf_cli import report
from tests.docs.scripts import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def measuring() -> ModuleType:
    return load("measuring")


def test_sides_take_turns_and_the_rounds_that_compile_do_not_count(measuring: ModuleType) -> None:
    called: list[str] = []
    sides = {name: lambda name=name: called.append(name) for name in "abc"}
    seconds = measuring.interleaved(sides, rounds=3, warm=2)
    assert {name: len(one) for name, one in seconds.items()} == {"a": 3, "b": 3, "c": 3}
    assert [sorted(called[i : i + 3]) for i in range(0, 15, 3)] == [["a", "b", "c"]] * 5
    assert len({tuple(called[i : i + 3]) for i in range(0, 15, 3)}) > 1  # in another order each round


def test_a_side_may_have_its_own_clock(measuring: ModuleType) -> None:
    seconds = measuring.interleaved({"a": lambda: 5.0}, 2, own_clock=True)
    assert seconds["a"].tolist() == [5.0, 5.0]


def test_a_ratio_is_of_the_same_round_and_lies_within_its_interval(measuring: ModuleType) -> None:
    base = np.random.default_rng(0).uniform(1, 10, 40)  # a machine that is slow now and then
    found = measuring.ratio(base * np.random.default_rng(1).normal(1.2, 0.01, 40), base)
    assert found.low <= found.middle <= found.high
    assert found.low < 1.2 < found.high
    assert found.high - found.low < 0.02


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.9, 1.0, "met"), (1.0, 1.06, "open"), (0.9, 1.2, "open"), (1.06, 1.1, "missed")],
)
def test_a_goal_is_met_or_missed_only_where_the_interval_says_so(
    measuring: ModuleType, low: float, high: float, word: str
) -> None:
    assert measuring.verdict(measuring.Ratio((low + high) / 2, low, high), 1.05).endswith(word)


def test_a_busy_machine_shows_ratios_only(measuring: ModuleType) -> None:
    seconds = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([2.0, 4.0, 6.0])}
    lines = measuring.comparison("side", seconds, "a", busy=True)
    assert lines[0] == "| side | ratio to a | 95 % interval |"
    assert lines[-1] == "| b | 2.000 | 2.000 to 2.000 |"
    assert "| 4000.00 |" in measuring.comparison("side", seconds, "a")[-1]


def test_a_slope_has_a_larger_error_where_neighbours_are_alike(
    measuring: ModuleType,
) -> None:
    rng, x = np.random.default_rng(0), np.arange(400.0)
    noise = rng.normal(0, 1, 400)
    found, error = measuring.slope(x, 0.5 * x + noise)
    assert abs(found - 0.5) < 3 * error
    assert error == pytest.approx(1 / np.sqrt(((x - x.mean()) ** 2).sum()), rel=0.3)
    assert measuring.slope(x, 0.5 * x + np.cumsum(noise) / 10)[1] > 3 * error
    assert measuring.slope(x, np.full(400, 3.0)) == (0.0, 0.0)


def test_a_section_is_written_between_its_markers_with_command_and_machine(
    measuring: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Speed\n\n## A step\n\n<!-- results: step -->\n<!-- end: step -->\n\nWhat it means.\n")
    monkeypatch.setattr(measuring, "PAGE", page)
    monkeypatch.setattr(
        "sys.argv", ["/somewhere/bench_step.py", "--torch", "/x/python", "--page", "--busy", "dir=/y"]
    )
    given = argparse.Namespace(page=True, busy=True)
    measuring.publish("step", "A step", ["| a |"], given)
    text = page.read_text()
    assert "python scripts/bench_step.py --torch PATH dir=PATH\n" in text
    assert "cores" in text
    assert "| a |\n\n<!-- end: step -->\n\nWhat it means.\n" in text
    assert "/somewhere" not in text


def test_every_section_of_the_page_is_closed() -> None:
    text = (ROOT / "docs/background/performance.md").read_text()
    starts = [line[13:-4] for line in text.splitlines() if line.startswith("<!-- results: ")]
    assert starts == [line[9:-4] for line in text.splitlines() if line.startswith("<!-- end: ")]
    assert starts


def test_strategies_of_gradients_are_timed_at_two_intervals_and_have_no_goal() -> None:
    made = dict(load("bench_step").strategies(["gradnorm", "dwa", "softadapt"], [7, 8]))
    assert list(made) == ["gradnorm", "gradnorm, every 10", "dwa", "softadapt"]
    assert made["gradnorm, every 10"].every == 10


def test_the_sides_of_a_step_are_trained() -> None:
    script = load("bench_step")
    size = script.Size(side=8, batch=2, filters=1, convs=1, steps=2)
    given = argparse.Namespace(only=["var"], window=[4, 8], jit=False, busy=False)
    turns, goals = script.sides(size, ["dice", "bce"], given)
    assert set(turns) == {
        *("summed", "summed again", "one loss", "lists"),
        *("var, window 4", "var, window 8", "var, recorded"),
    }
    assert goals == ["var, window 4", "var, window 8", "var, recorded"]
    chosen = {name: turns[name] for name in ("summed", "var, recorded", "lists")}
    seconds = script.measuring.interleaved(chosen, 2, own_clock=True)
    assert all((one > 0).all() for one in seconds.values())
    model = turns["var, recorded"].fused
    assert int(model.memory["step"]) == 3 * size.steps  # a round that compiles and two others


def test_a_side_that_fails_ends_the_measurement() -> None:
    script = load("bench_step")

    class Broken:
        def fit(self, *_: object, **__: object) -> None:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        script.Fit(Broken(), None, 1)()


def test_weights_of_the_eager_loop_are_those_of_var() -> None:
    from dmf_cli import weighting

    history = np.random.default_rng(0).uniform(0.1, 1, (30, 3))
    ours = weighting.replay(weighting.get("var", warmup=2, window=150), history)
    assert load("bench_step").variances(history.T.tolist()) == pytest.approx(ours[-1], rel=1e-4)


def test_a_part_within_another_one_counts_once() -> None:
    clock = load("bench_run").Clock()
    with clock("data"):
        time.sleep(0.02)
        with clock("steps"):
            time.sleep(0.05)
    clock._pass()
    assert clock.seconds["steps"] >= 0.05
    assert sum(clock.seconds.values()) == pytest.approx(clock._since - clock.began)
    assert 0.02 <= clock.seconds["data"] < clock.seconds["data"] + clock.seconds["steps"]


def test_the_operations_of_a_step_are_told_by_kind_and_their_shares_are_the_whole() -> None:
    import tensorflow as tf

    script, matrix = load("profile_step"), tf.random.normal((300, 300))
    spent = script.profiled(tf.function(lambda: tf.linalg.matmul(matrix, tf.sin(matrix))), steps=2)
    assert "Sin" in spent
    assert any("MatMul" in kind for kind in spent)
    lines = script.shares(spent, 2, busy=True)[2:]
    assert sum(float(line.split("|")[-2].strip().rstrip("%")) for line in lines) == pytest.approx(100, abs=1)


def test_the_way_of_keras_has_no_joined_normalisation() -> None:
    from dmf_cli import fuse, models

    script = load("profile_step")
    joined = []
    for inside in (script.contextlib.nullcontext, script.apart):
        with inside():
            network = models.unet((16, 16, 1), 2, filters=2, depth=1)
            fuse(network, "dice+bce", "fixed")
        joined.append(["call" in vars(one) for one in network.layers if "batch" in one.name])
    assert all(joined[0])
    assert joined[0]
    assert not any(joined[1])


def test_the_report_of_a_long_run_is_no_larger_than_that_of_a_shorter_one(tmp_path: Path) -> None:
    """What is drawn of steps is bounded, so that a million of them stay readable."""
    slopes, sizes = load("slopes"), []
    for count in (5_000, 30_000):
        slopes.made_up(tmp_path / str(count), count)
        with (tmp_path / str(count) / "steps.csv").open(newline="") as file:
            assert sum(1 for _ in csv.reader(file)) == count + 1
        written = report.write([tmp_path / str(count)])
        assert [one for one in written.problems if "damaged" in one] == []
        sizes.append(written.file.stat().st_size)
    assert sizes[1] < 1.1 * sizes[0]
