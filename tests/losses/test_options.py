"""What the options of the losses do, against NumPy or by hand."""

import re
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from dmf_cli import config, losses
from dmf_cli.errors import ConfigError
from dmf_cli.lookup import keywords
from dmf_cli.losses._cldice import soft_skeleton
from tests.losses.cases import NAMES, random_case
from tests.raised import raises

WEIGHTED = [name for name in NAMES if "class_weights" in keywords(getattr(losses, name))]
COUNTED = [name for name in WEIGHTED if "absent" in keywords(getattr(losses, name)) and name != "explog"]
Y, P = random_case((2, 4, 5, 3))


def value(name: str, y=Y, p=P, **params) -> float:
    return float(losses.get(name, **params)(y, p))


def numpy_ratio(tp, fp, fn, a: float, b: float, s: float = 1e-5):
    return (tp + s) / (tp + a * fp + b * fn + s)


def numpy_sums(y=Y, p=P, axes=(1, 2)):
    return (y * p).sum(axes), ((1 - y) * p).sum(axes), (y * (1 - p)).sum(axes)


@pytest.mark.parametrize("name", WEIGHTED)
def test_only_the_ratio_of_class_weights_counts(name: str) -> None:
    if name != "explog":  # there they are the weights themselves
        assert value(name, class_weights=[2, 2, 2]) == pytest.approx(value(name), rel=1e-5)
    scale = 3.0 if name != "explog" else 1.0
    one = value(name, class_weights=[1, 5, 2])
    assert value(name, class_weights=[scale, 5 * scale, 2 * scale]) == pytest.approx(one, rel=1e-5)
    assert one != pytest.approx(value(name, class_weights=[1, 1, 9]), rel=1e-3)


@pytest.mark.parametrize("name", COUNTED)
def test_a_class_of_weight_0_is_left_out(name: str) -> None:
    alone = value(name, Y[..., 2:], P[..., 2:], absent="count")
    assert value(name, class_weights=[0, 0, 1]) == pytest.approx(alone, rel=1e-5)


def test_weighted_cross_entropy_is_the_weighted_mean_of_pixels() -> None:
    w = np.array([1.0, 5.0, 2.0])
    pixel = -np.log((Y * P).sum(-1))
    expected = (pixel * (Y * w).sum(-1)).sum() / (Y * w).sum()
    assert value("ce", class_weights=[1, 5, 2]) == pytest.approx(expected, rel=1e-5)
    focal = (pixel * (1 - (Y * P).sum(-1)) ** 2 * (Y * w).sum(-1)).sum() / (Y * w).sum()
    assert value("focal", class_weights=[1, 5, 2]) == pytest.approx(focal, rel=1e-5)


@pytest.mark.parametrize("name", ["bce", "ce", "focal"])
def test_one_channel_takes_two_weights(name: str) -> None:
    y, p = random_case((2, 4, 5, 1))
    both = np.concatenate([1 - y, y], -1), np.concatenate([1 - p, p], -1)
    expected = value("ce" if name == "bce" else name, *both, class_weights=[1, 4])
    assert value(name, y, p, class_weights=[1, 4]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, float("nan"), 1.0]])
def test_class_weights_that_do_not_fit(name: str, weights: list) -> None:
    with raises(ConfigError, key="class_weights") as caught:
        value(name, class_weights=weights)
    assert repr(caught.value.value) == repr(weights)


@pytest.mark.parametrize("name", [name for name in COUNTED if name != "logcosh_dice"])  # not a mean
def test_an_absent_class_leaves_the_mean_or_counts(name: str) -> None:
    y = Y.copy()
    y[0, ..., 0] += y[0, ..., 2]
    y[0, ..., 2] = 0.0  # class 2 is absent from sample 0
    options = {"background": True}
    per_sample = [
        value(name, y[:1, ..., :2], P[:1, ..., :2], absent="zero", **options),
        value(name, y[1:], P[1:], absent="zero", **options),
    ]
    assert value(name, y, P, absent="zero", **options) == pytest.approx(np.mean(per_sample), rel=1e-5)
    assert value(name, y, P, absent="count", **options) != pytest.approx(np.mean(per_sample), rel=1e-3)


@pytest.mark.parametrize("pool", ["sample", "batch"])
def test_tversky_weighs_false_positives_by_alpha(pool: str) -> None:
    axes = (1, 2) if pool == "sample" else (0, 1, 2)
    expected = 1 - numpy_ratio(*numpy_sums(axes=axes), 0.2, 0.9)
    assert value("tversky", alpha=0.2, beta=0.9, pool=pool) == pytest.approx(expected.mean(), rel=1e-5)
    focal = (expected**0.5).mean()
    assert value("focal_tversky", alpha=0.2, beta=0.9, gamma=2.0, pool=pool) == pytest.approx(focal, rel=1e-5)


def test_batch_dice_is_that_of_nnunet_and_one() -> None:
    """MemoryEfficientSoftDiceLoss(batch_dice=True, do_bg=False, smooth=1e-5) of nnU-Net v2, i.e. -Dice."""
    both, truth, guess = (part.sum((0, 1, 2))[1:] for part in (P * Y, Y, P))
    theirs = -np.mean((2 * both + 1e-5) / np.clip(truth + guess + 1e-5, 1e-8, None))
    assert value("dice", pool="batch", background=False) == pytest.approx(1 + theirs, rel=1e-5)


def test_tversky_contains_dice_iou_and_the_asymmetric_similarity() -> None:
    assert value("tversky", alpha=0.5, beta=0.5, smooth=5e-6) == pytest.approx(value("dice"), rel=1e-5)
    assert value("tversky", alpha=1.0, beta=1.0) == pytest.approx(value("iou"), rel=1e-5)
    tp, fp, fn = numpy_sums()
    f_score = (1 + 1.5**2) * tp / ((1 + 1.5**2) * tp + 1.5**2 * fn + fp)
    found = value("tversky", alpha=1 / (1 + 1.5**2), beta=1.5**2 / (1 + 1.5**2), smooth=1e-7)
    assert found == pytest.approx((1 - f_score).mean(), rel=1e-5)


def test_focal_tversky_has_a_bounded_slope_at_a_perfect_match(gradient) -> None:
    y, _ = random_case((1, 20, 20, 1))
    for off in (0.0, 1e-6, 1e-4):
        found, slope = gradient(
            lambda p: losses.get("focal_tversky", gamma=4.0)(y, p), np.abs(y - np.float32(off))
        )
        assert 0 <= found < 0.2
        assert np.abs(slope).max() < 1000 / y.sum() * 1.5  # (1e-4)^(1/4 - 1) = 1000


def test_generalised_dice_weights() -> None:
    tp, fp, fn = numpy_sums()
    g = Y.sum((1, 2))
    pixels = Y[0, ..., 0].size
    for weight, w, s in (
        ("square", 1 / g**2, 1e-5 / pixels),
        ("simple", 1 / g, 1e-5),
        ("uniform", np.ones_like(g), 1e-5),
    ):
        bottom = (w * (2 * tp + fp + fn)).sum(-1) + s
        expected = (1 - (2 * (w * tp).sum(-1) + s) / bottom).mean()
        assert value("gdice", weight=weight) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("pool", ["sample", "batch"])
@pytest.mark.parametrize("weight", ["square", "simple", "uniform"])
def test_smooth_does_not_decide_generalised_dice_of_a_large_image(weight: str, pool: str) -> None:
    y = np.zeros((1, 1024, 1024, 2), "float32")
    y[:, :512, :, 0] = y[:, 512:, :, 1] = 1.0
    assert value("gdice", y, 1 - y, weight=weight, pool=pool) == pytest.approx(1.0, abs=1e-4)
    assert value("gdice", y, y, weight=weight, pool=pool) == pytest.approx(0.0, abs=1e-6)


def test_an_absent_class_of_generalised_dice_weighs_like_the_rarest_or_nothing() -> None:
    y = np.array([[[1, 0, 0], [1, 0, 0], [0, 1, 0]]], "float32")
    p = np.full((1, 3, 3), 1 / 3, "float32")
    # Weights 1/4 and 1, and 1 or 0 for the absent class; overlaps 2/3, 1/3 and 0; sizes 3, 2 and 1.
    assert value("gdice", y, p, smooth=1e-9) == pytest.approx(
        1 - 2 * (0.5 / 3 + 1 / 3) / (0.75 + 2 + 1), rel=1e-5
    )
    assert value("gdice", y, p, smooth=1e-9, absent="zero") == pytest.approx(1 - 2 * 0.5 / 2.75, rel=1e-5)


def test_penalty_of_generalised_dice() -> None:
    y, p = Y[:1], P[:1]
    plain = value("gdice", y, p)
    assert value("gdice", y, p, penalty=2.5) == pytest.approx(plain / (1 + 2.5 * (1 - plain)), rel=1e-5)


def test_logcosh_dice_keeps_small_losses(gradient) -> None:
    assert value("logcosh_dice") == pytest.approx(np.log(np.cosh(value("dice"))), rel=1e-5)
    y = np.ones((1, 1000, 1), "float32")
    small = value("dice", y, y - 2e-4)
    assert value("logcosh_dice", y, y - 2e-4) == pytest.approx(small**2 / 2, rel=1e-4)


def test_topk_is_the_mean_of_the_worst_pixels() -> None:
    worst = np.sort(-np.log((Y * P).sum(-1)).reshape(2, -1), axis=1)[:, ::-1]
    assert value("topk", k=25.0, pool="sample") == pytest.approx(worst[:, :5].mean(), rel=1e-5)
    both = np.sort(worst.ravel())[::-1]
    assert value("topk", k=25.0) == pytest.approx(both[:10].mean(), rel=1e-5)
    assert value("topk", k=100.0) == pytest.approx(value("ce"), rel=1e-5)
    y, p = random_case((1, 100, 1))
    ordered = np.sort(-np.log(np.where(y > 0, p, 1 - p)).ravel())[::-1]
    assert value("topk", y, p, k=57) == pytest.approx(ordered[:57].mean(), rel=1e-6)
    assert value("topk", k=0.001) == pytest.approx(both[0], rel=1e-5)


def test_topk_shares_the_gradient_between_ties(gradient) -> None:
    y = np.ones((1, 4, 1), "float32")
    p = np.array([0.2, 0.5, 0.5, 0.9], "float32").reshape(1, 4, 1)
    found, slope = gradient(lambda t: losses.get("topk", k=50)(y, t), p)
    assert found == pytest.approx((-np.log(0.2) - np.log(0.5)) / 2, rel=1e-5)
    np.testing.assert_allclose(slope.ravel(), [-2.5, -0.5, -0.5, 0], rtol=1e-5)


def test_lovasz_of_hard_predictions_is_the_jaccard_loss() -> None:
    y, hard = random_case((2, 4, 5, 3))[0], random_case((2, 4, 5, 3), 1)[0]
    assert value("lovasz", y, hard) == pytest.approx(value("iou", y, hard, smooth=1e-9), rel=1e-5)
    empty = np.zeros((1, 4, 1), "float32")
    p = np.array([0.1, 0.4, 0.2, 0.0], "float32").reshape(1, 4, 1)
    assert value("lovasz", empty, p) == pytest.approx(0.4)


def test_sensitivity_and_specificity_by_hand() -> None:
    y = np.array([[[1.0], [1.0], [0.0], [0.0], [0.0]]], "float32")
    p = np.array([[[0.5], [1.0], [0.5], [0.0], [0.0]]], "float32")
    expected = 0.3 * 0.25 / 2 + 0.7 * 0.25 / 3
    assert value("sensspec", y, p, ratio=0.3) == pytest.approx(expected, rel=1e-4)


def test_an_empty_mask_teaches_sensspec_to_predict_nothing(gradient) -> None:
    empty = np.zeros((1, 4, 4, 1), "float32")
    _, slope = gradient(lambda p: losses.get("sensspec")(empty, p), empty + 0.5)
    assert np.all(slope > 0.01)


def test_explog_by_hand() -> None:
    dice = 1 - (1 - (2 * (Y * P).sum((1, 2)) + 1e-5) / (Y.sum((1, 2)) + P.sum((1, 2)) + 1e-5))
    counts = Y.sum((0, 1, 2))
    pixel = (np.sqrt(counts.sum() / counts) * Y).sum(-1) * (-np.log((Y * P).sum(-1))) ** 0.3
    expected = 0.8 * ((-np.log(dice)) ** 0.3).mean() + 0.2 * pixel.mean()
    assert value("explog") == pytest.approx(expected, rel=1e-5)
    unweighted = value("explog", dice_weight=0.0, ce_weight=1.0, gamma=1.0, class_weights=[1, 1, 1])
    assert unweighted == pytest.approx(value("ce"), rel=1e-5)


def test_mcc_of_an_empty_mask_and_of_a_whole_volume(gradient) -> None:
    empty = np.zeros((1, 4, 4, 1), "float32")
    assert value("mcc", empty, empty) == pytest.approx(0.0, abs=1e-6)
    assert value("mcc", empty, empty + 0.5) > 0.99
    lesion = empty.copy()
    lesion[0, 0] = 1.0
    found, slope = gradient(lambda p: losses.get("mcc")(lesion, p), empty)
    assert 0.99 < found <= 1.0
    assert np.all(np.isfinite(slope))
    y = np.zeros((1, 2**21, 1), "float32")  # products of four such counts would leave float32
    y[0, : 2**20] = 1.0
    assert value("mcc", y, 0.9 * y + 0.05) == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize("rank", [2, 3])
def test_the_soft_skeleton_of_a_thick_line_is_its_centre(rank: int) -> None:
    mask = np.zeros((1, 11, *[15] * (rank - 1), 1), "float32")
    mask[(0, slice(2, 9), *[slice(5, 10)] * (rank - 1))] = 1.0  # 7 long, 5 wide
    skeleton = ops.convert_to_numpy(soft_skeleton(ops.convert_to_tensor(mask), 3))
    assert skeleton.max() == 1.0
    assert np.all(skeleton <= mask)
    assert skeleton[(0, 5, *[7] * (rank - 1), 0)] == 1.0
    assert skeleton[(0, 5, 5, *[7] * (rank - 2), 0)] == 0.0
    assert skeleton.sum() < mask.sum() / 2


def test_cldice_does_not_care_how_thick_a_vessel_is() -> None:
    thin, thick = (np.zeros((1, 9, 16, 1), "float32") for _ in range(2))
    thin[0, 4], thick[0, 3:6] = 1.0, 1.0
    broken = thick.copy()
    broken[0, :, 8:] = 0.0
    assert value("cldice", thick, thin) < 0.05 < 0.3 < value("dice", thick, thin)
    assert value("cldice", thick, broken) > 0.3
    with raises(ConfigError, key="y_pred", allowed="one to three spatial axes"):
        value("cldice", thin[:, None, None], thin[:, None, None])


def test_unified_focal_of_one_channel_is_that_of_both() -> None:
    y, p = random_case((2, 4, 5, 1))
    both = np.concatenate([1 - y, y], -1), np.concatenate([1 - p, p], -1)
    for form in ("symmetric", "asymmetric"):
        assert value("unified_focal", y, p, form=form) == pytest.approx(
            value("unified_focal", *both, form=form), rel=1e-6
        )


def test_unified_focal_is_zero_at_a_perfect_match_where_its_authors_code_is_not() -> None:
    for form in ("symmetric", "asymmetric"):
        assert value("unified_focal", Y, Y, form=form) < 1e-6


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("tversky", {"alpha": -0.1}),
        ("tversky", {"beta": float("nan")}),
        ("focal_tversky", {"gamma": 0.0}),
        ("focal", {"gamma": -1.0}),
        ("focal", {"alpha": 1.5}),
        ("gdice", {"weight": "sqare"}),
        ("gdice", {"absent": "count"}),
        ("gdice", {"penalty": -1.0}),
        ("lovasz", {"absent": "max"}),
        ("topk", {"k": 0.0}),
        ("topk", {"k": 101.0}),
        ("unified_focal", {"gamma": 1.0}),
        ("unified_focal", {"delta": 2.0}),
        ("unified_focal", {"form": "asymetric"}),
        ("sensspec", {"ratio": -1.0}),
        ("explog", {"gamma": 0.0}),
        ("explog", {"ce_weight": -1.0}),
        ("mcc", {"smooth": 0.0}),
        ("cldice", {"iterations": -1}),
        ("dice", {"absent": "max"}),
    ],
)
def test_a_value_out_of_range(name: str, params: dict) -> None:
    ((wrong, given),) = params.items()
    with raises(ConfigError, key=wrong) as caught:
        value(name, **params)
    assert repr(caught.value.value) == repr(given)
    assert caught.value.allowed


def test_the_line_about_a_value_out_of_range() -> None:
    lines = {
        "focal": ({"alpha": 1.5}, "alpha is 1.5: give a number from 0 to 1, or null"),
        "gdice": (
            {"weight": "sqare"},
            "weight is 'sqare': did you mean 'square'? (allowed: square, simple, uniform)",
        ),
        "unified_focal": ({"gamma": 1.0}, "gamma is 1.0: give a number below 1, or weight=0"),
    }
    for name, (params, line) in lines.items():
        with raises(ConfigError) as caught:
            value(name, **params)
        assert str(caught.value) == line
    assert np.isfinite(value("unified_focal", gamma=2.0, weight=0.0))


def test_numbers_of_numpy_and_of_a_backend_are_numbers() -> None:
    expected = value("dice", smooth=0.5, class_weights=[1.0, 2.0, 3.0])
    for numbers in (np.asarray, ops.convert_to_tensor):
        weights = numbers([1.0, 2.0, 3.0])
        assert value("dice", smooth=np.float32(0.5), class_weights=weights) == expected


def odyssey() -> list[tuple[str, ...]]:
    """The overrides in the rows of the table of 20 losses in docs/reference/losses.md."""
    text = (Path(__file__).parents[2] / "docs/reference/losses.md").read_text()
    table = text.partition('## The 20 losses of "Loss odyssey"')[2].partition("\n## ")[0]
    return [
        tuple(found.split()) for found in re.findall(r"^\| [^|]+ \| `(loss=[^`]+)` \|", table, re.MULTILINE)
    ]


def test_the_documents_cover_the_20_losses_of_loss_odyssey() -> None:
    assert len(set(odyssey())) == 20


@pytest.mark.parametrize("overrides", odyssey(), ids=lambda o: o[0])
def test_each_of_them_is_a_term_or_a_sum_of_terms(overrides: tuple[str, ...]) -> None:
    terms = config.compose(list(overrides)).plain["loss"]["terms"]
    total = sum(value(name, *random_case((2, 4, 5, 2)), **params) for name, params in terms.items())
    assert np.isfinite(total)
    assert set(terms) <= set(NAMES)


def test_the_documents_map_every_loss_to_its_peers() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/losses.md").read_text()
    table = text.partition("## The same loss elsewhere")[2].partition("\n## ")[0]
    first = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    assert sorted(name for cell in first for name in re.findall(r"`(\w+)`", cell)) == sorted(NAMES)
