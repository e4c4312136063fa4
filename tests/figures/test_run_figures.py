import math
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from PIL import Image

from dmf_cli.errors import RunFolderError
from dmf_cli.figures import examples, image_grid, palette, run_figures, step_figures
from dmf_cli.figures.matplotlib_renderer import draw
from dmf_cli.run_folder.folder import RunFolder

NAN = math.nan


def epochs_of(terms, count):
    columns = {"epoch": list(range(1, count + 1)), "learning_rate": [1e-3] * count}
    for name in ("loss", "val_objective", *(f"{kind}.{t}" for kind in ("loss", "val_loss") for t in terms)):
        columns[name] = [1.0 / epoch for epoch in columns["epoch"]]
    return {**columns, "val_foreground_dice": [1 - 0.5 / epoch for epoch in columns["epoch"]]}


def steps_of(terms, count, warmup=0, gamma=0.0):
    steps = list(range(count))
    columns = {"step": steps, "epoch": [1 + s // 10 for s in steps], "loss": [1.0] * count}
    columns |= {"gamma": [gamma * 0.9**s for s in steps], "aux": [0.1] * count}
    for i, term in enumerate(terms):
        columns[f"loss.{term}"] = [1.0] * count
        columns[f"weight.{term}"] = [
            0.5 if s < warmup else 0.5 + 0.01 * (s - warmup + 1) * (-1) ** i for s in steps
        ]
    return columns


def run_of(path, terms, epochs, steps):
    run = RunFolder.claim(path)
    for columns, append in ((epochs, run.append_epoch), (steps, lambda row: run.append_steps([row]))):
        for values in zip(*columns.values(), strict=True):
            append(dict(zip(columns, values, strict=True)))
    run.write_status("running", best={"epoch": 1, "val_foreground_dice": 0.5})
    return run


def pngs(folder):
    found = sorted(folder.glob("*"))
    for path in found:
        with Image.open(path) as image:
            assert min(image.size) >= 300
    return [path.name for path in found]


@pytest.mark.parametrize("terms", [["dice"], ["cbdice", "bce"], [f"a$b_{i}$" for i in range(20)]])
@pytest.mark.parametrize("epochs", [1, 3])
def test_every_run_gets_its_plots(tmp_path, terms, epochs):
    run = run_of(
        tmp_path / "a$ru_n$", terms, epochs_of(terms, epochs), steps_of(terms, 10 * epochs, 3, gamma=5.0)
    )
    run_figures.plot_run(run)
    assert pngs(run.plots) == ["losses.png", "metrics.png", "shares.png", "weights.png"]


def test_values_that_are_not_finite_are_gaps(tmp_path):
    epochs, steps = epochs_of(["dice", "bce"], 4), steps_of(["dice", "bce"], 20)
    epochs["loss.dice"], epochs["val_loss.dice"] = [NAN] * 4, [NAN] * 4
    epochs["val_foreground_dice"] = [0.1, NAN, math.inf, 0.2]
    steps["weight.dice"][5] = NAN
    run = run_of(tmp_path / "run", ["dice", "bce"], epochs, steps)
    run_figures.plot_run(run)
    assert len(pngs(run.plots)) == 4
    figure = draw(run_figures.losses(run.read_epochs(), ["dice", "bce"]))
    assert [text.get_text() for text in figure.axes[1].texts] == ["no finite value"]


def test_a_run_without_epochs_has_no_plots(tmp_path):
    run = RunFolder.claim(tmp_path / "run")
    run_figures.plot_run(run)
    assert pngs(run.plots) == []


def test_a_disk_that_is_full_is_reported_in_one_line(tmp_path):
    run = run_of(tmp_path / "run", ["bce"], epochs_of(["bce"], 1), steps_of(["bce"], 3))
    run.plots.rmdir()
    run.plots.touch()
    with pytest.raises(RunFolderError, match=r"plots.\w+\.png"):
        run_figures.plot_run(run)


def test_losses_have_a_panel_and_an_axis_each():
    epochs = epochs_of(["small", "wide"], 5)
    epochs["val_loss.wide"] = [1000.0, 100.0, 10.0, 1.0, 0.1]
    figure = draw(run_figures.losses(epochs, ["small", "wide"]))
    assert [panel.get_title(loc="left") or panel.get_title() for panel in figure.axes] == [
        "Weighted sum",
        "Loss small",
        "Loss wide",
    ]
    assert [panel.get_yscale() for panel in figure.axes] == ["linear", "linear", "log"]
    train, val = figure.axes[2].get_lines()
    assert train.get_ydata().tolist() == epochs["loss.wide"]
    assert val.get_ydata().tolist() == epochs["val_loss.wide"]
    assert figure.axes[1].get_xlabel() == "epoch"


def test_the_legend_says_when_an_auxiliary_loss_is_in_the_sum():
    epochs = epochs_of(["bce"], 2)
    words = [text.get_text() for text in draw(run_figures.losses(epochs, ["bce"])).legends[0].get_texts()]
    assert words == ["training (sum: weights of the strategy)", "validation (sum: coefficients)"]
    figure = draw(run_figures.losses({**epochs, "gamma": [5.0, 0.0]}, ["bce"]))
    assert "and auxiliary loss" in figure.legends[0].get_texts()[0].get_text()


def test_terms_keep_the_order_of_the_expression():
    assert run_figures.terms_of(steps_of(["cbdice", "bce"], 1)) == ["cbdice", "bce"]


def legend(panel):
    return [text.get_text() for text in panel.get_legend().get_texts()]


def test_metrics_mark_the_epoch_that_was_kept():
    figure = draw(run_figures.metrics(epochs_of(["bce"], 5), {"epoch": 3, "val_foreground_dice": 0.8333}))
    assert len(figure.axes) == 1
    assert legend(figure.axes[0]) == ["foreground Dice", "best epoch 3: foreground Dice 0.833"]
    assert figure.axes[0].get_ylim() == (0, 1)
    figure = draw(run_figures.metrics(epochs_of(["bce"], 5), {"epoch": 2, "val_objective": 0.5}))
    assert legend(figure.axes[0])[1] == "best epoch 2: objective 0.500"


def test_metrics_show_the_learning_rate_when_it_changes():
    epochs = epochs_of(["bce"], 3)
    epochs["learning_rate"] = [1e-3, 5e-4, 1e-4]
    figure = draw(run_figures.metrics(epochs, {}))
    assert figure.axes[1].get_ylabel() == "learning rate"
    assert figure.axes[1].get_lines()[0].get_ydata().tolist() == epochs["learning_rate"]


def test_weights_shade_the_warm_up_until_they_move():
    terms = ["cbdice", "bce"]
    figure = draw(step_figures.weights(steps_of(terms, 30, warmup=12), terms))
    assert len(figure.axes) == 1
    assert legend(figure.axes[0]) == [*terms, "warm-up"]
    assert [(p.get_x(), p.get_width()) for p in figure.axes[0].patches] == [(0, 12)]
    fixed = draw(step_figures.weights(steps_of(terms, 30, warmup=30), terms))
    assert legend(fixed.axes[0]) == terms


def test_weights_have_gamma_below_them_when_there_is_an_auxiliary_loss():
    figure = draw(step_figures.weights(steps_of(["bce"], 30, gamma=5.0), ["bce"]))
    assert [panel.get_ylabel() for panel in figure.axes] == ["weight", "gamma"]
    assert figure.axes[1].get_lines()[0].get_ydata()[0] == 5.0


def test_over_many_steps_a_mean_is_drawn_that_leaves_the_warm_up_alone():
    count, warmup = 1000, 100
    steps = steps_of(["bce"], count, warmup)
    steps["weight.bce"] = [0.5 if s < warmup else float(s % 2) for s in range(count)]
    _, mean = draw(step_figures.weights(steps, ["bce"])).axes[0].get_lines()
    values = mean.get_ydata()
    assert (values[:warmup] == 0.5).all()
    assert values[warmup] == 0.0
    np.testing.assert_allclose(values[warmup + 10 :], 0.5)


def insight_of(terms, steps):
    columns = {"step": steps, "epoch": [1 + s // 10 for s in steps]}
    columns |= {f"norm.{term}": [10.0**-i] * len(steps) for i, term in enumerate(terms)}
    pairs = [f"cosine.{a}|{b}" for i, a in enumerate(terms) for b in terms[i + 1 :]]
    return columns | {pair: [0.9 - 0.1 * i] * len(steps) for i, pair in enumerate(pairs)}


def test_shares_are_weight_times_loss():
    steps = steps_of(["dice", "bce"], 20)
    steps["loss.bce"] = [200.0] * 20
    raw, shared = draw(step_figures.shares(steps, ["dice", "bce"])).axes
    assert (raw.get_yscale(), shared.get_yscale()) == ("log", "log")
    for line, term in zip(shared.get_lines(), ["dice", "bce"], strict=True):
        product = np.multiply(steps[f"loss.{term}"], steps[f"weight.{term}"])
        np.testing.assert_allclose(line.get_ydata(), product)


def test_insight_shows_norms_pulls_and_the_region_of_conflict(tmp_path):
    terms, steps = ["dice", "bce"], steps_of(["dice", "bce"], 20, warmup=9)
    run = run_of(tmp_path / "run", terms, epochs_of(terms, 2), steps)
    recorded = insight_of(terms, [0, 5, 10, 15])
    for values in zip(*recorded.values(), strict=True):
        run.append_insight([dict(zip(recorded, values, strict=True))])
    assert run.read_insight() == recorded
    run_figures.plot_run(run)
    assert "insight.png" in pngs(run.plots)
    _, pulls, cosines = draw(step_figures.insight(recorded, steps, terms)).axes
    expected = [0.1 * steps["weight.bce"][s] for s in recorded["step"]]
    np.testing.assert_allclose(pulls.get_lines()[1].get_ydata(), expected)
    assert legend(cosines) == ["dice and bce", "conflict"]
    assert [(p.get_y(), p.get_height()) for p in cosines.patches] == [(-1.05, 1.05)]
    run.truncate_after(1)
    assert run.read_insight()["step"] == [0, 5]


def test_of_many_pairs_the_worst_are_drawn_and_one_term_has_none():
    terms = [f"t{i}" for i in range(8)]
    steps = steps_of(terms, 20)
    cosines = draw(step_figures.insight(insight_of(terms, [0, 10]), steps, terms)).axes[2]
    assert [line.get_ydata()[0] for line in cosines.get_lines()] == pytest.approx(
        [0.9 - 0.1 * i for i in range(20, 28)]
    )
    assert "the 8 lowest of 28" in cosines.get_title()
    assert len(draw(step_figures.insight(insight_of(["bce"], [0]), steps_of(["bce"], 9), ["bce"])).axes) == 2


def example(**fields):
    image = np.tile(np.arange(40, dtype=np.uint8)[:, None, None], (1, 50, 1))
    truth = np.zeros((40, 50), np.uint8)
    truth[10:30, :20] = 1  # meets the left edge
    prediction = np.roll(truth, 5, axis=0)
    given = {"id": "benign/benign (1)", "kind": "best", "dice": 0.75, "image": image}
    return SimpleNamespace(**{**given, "truth": truth, "prediction": prediction, **fields})


def test_a_grid_of_examples_has_every_kind(tmp_path):
    nothing = np.zeros((40, 50), np.uint8)
    colour = np.zeros((64, 30, 3), np.uint8)
    several = np.arange(64 * 30).reshape(64, 30) % 4
    given = [
        example(),
        example(
            kind="worst",
            image=colour,
            truth=several.astype(np.uint8),
            prediction=nothing[:1].repeat(64, 0)[:, :30],
        ),
        example(kind="missed", prediction=nothing, dice=0.0),
        example(kind="false alarm", truth=nothing, dice=0.0, id="$" + "很长的名字" * 20),
        example(kind="median", truth=nothing, prediction=nothing, dice=NAN),
        example(
            kind="tiny",
            image=np.full((1, 1, 1), 9, np.uint8),
            truth=nothing[:1, :1],
            prediction=nothing[:1, :1] + 1,
        ),
    ]
    examples.plot_examples(tmp_path / "grid.png", given)
    examples.plot_examples(tmp_path / "one.png", given[:1])
    examples.plot_examples(tmp_path / "none.png", [])
    assert pngs(tmp_path) == ["grid.png", "one.png"]


def test_an_example_says_its_dice_and_outlines_both_masks():
    figure = matplotlib.figure.Figure()
    panel = figure.subplots()
    image_grid.draw(panel, examples.tile(example(), 2))
    assert panel.get_title() == "best: Dice 0.750"
    truth, prediction = panel.collections
    for outline, colour in ((truth, palette.TRUTH), (prediction, palette.PREDICTION)):
        assert matplotlib.colors.to_hex(outline.get_edgecolor()[0]).upper() == colour
    box = truth.get_paths()[0].get_extents()
    assert (box.x0, box.x1, box.y0, box.y1) == (-0.5, 19.5, 9.5, 29.5)  # closed at the edge, on pixel borders
    assert panel.get_xlim() == (-0.5, 49.5)


def test_of_several_classes_the_colour_is_the_class_and_a_legend_says_so(tmp_path, monkeypatch):
    one = example()
    both = example(truth=2 * one.truth)
    figure = matplotlib.figure.Figure()
    panel = figure.subplots()
    image_grid.draw(panel, examples.tile(both, 3))
    truth, prediction = panel.collections
    for outline, colour in ((truth, palette.CLASSES[1]), (prediction, palette.CLASSES[0])):
        assert matplotlib.colors.to_hex(outline.get_edgecolor()[0]).upper() == colour
    drawn = []
    monkeypatch.setattr(image_grid.style, "save", lambda path, figure: drawn.append(figure))
    examples.plot_examples(tmp_path / "x.png", [both], ("background", "benign", "malignant"))
    examples.plot_examples(tmp_path / "x.png", [one], ("background", "lesion"))
    said = [[text.get_text() for text in figure.legends[0].get_texts()] for figure in drawn]
    assert said == [["benign", "malignant", "truth", "prediction"], ["truth", "prediction"]]


def test_settings_of_the_user_neither_matter_nor_change(tmp_path):
    run = run_of(tmp_path / "run", ["bce"], epochs_of(["bce"], 2), steps_of(["bce"], 20))
    run_figures.plot_run(run)
    before = (run.plots / "losses.png").read_bytes()
    with matplotlib.rc_context({"text.usetex": True, "font.size": 30.0, "lines.linewidth": 9.0}):
        mine = dict(matplotlib.rcParams)
        run_figures.plot_run(run)
        assert dict(matplotlib.rcParams) == mine
    assert (run.plots / "losses.png").read_bytes() == before


def test_a_cosine_that_is_not_known_is_none_of_0_among_the_lowest():
    nan = float("nan")
    recorded = {f"cosine.a|{i}": [0.5, 0.5] for i in range(step_figures.MOST_PAIRS - 1)}
    recorded |= {"cosine.a|low": [nan, 0.2], "cosine.a|none": [nan, nan], "cosine.a|high": [nan, 0.6]}
    found = step_figures.pairs(recorded)
    assert "a and low" in found
    assert not {"a and none", "a and high"} & set(found)


def test_the_classes_are_drawn_as_long_as_they_can_be_distinguished():
    def drawn(count):
        columns = epochs_of(["dice"], 2) | {f"val_dice.a_{c}": [0.5, NAN] for c in range(count)}
        return run_figures.validated(columns)

    assert drawn(2) == ["val_foreground_dice", "val_dice.a_0", "val_dice.a_1"]
    assert drawn(run_figures.MOST_CLASSES + 1) == ["val_foreground_dice"]
    assert run_figures.metric("val_dice.a_0") == "Dice of a_0"
    assert run_figures.metric("val_foreground_dice") == "foreground Dice"
    figure = draw(run_figures.metrics(epochs_of(["dice"], 2) | {"val_dice.a_0": [0.5, NAN]}, {}))
    assert "Dice of a_0" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
