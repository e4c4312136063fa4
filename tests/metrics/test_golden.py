"""Figures of the peers' own code on one case: two images of three classes, class 2 absent in the second.

From segmentation-models-pytorch (5006616), MONAI (d388d1c), MetricsReloaded (cb38dfc) and the notebook of
the paper (d903acc), which pools the batch and averages over classes.
"""

import numpy as np
import pytest

from dmf_cli import metrics

TRUTH = np.array(
    [
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 2], [0, 0, 2, 2]],
        [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]],
    ]
)
PREDICTION = np.array(
    [
        [[0, 2, 0, 0], [0, 1, 1, 0], [0, 0, 1, 2], [0, 0, 2, 2]],
        [[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1], [1, 0, 0, 0]],
    ]
)
NAN = float("nan")


@pytest.fixture(scope="module")
def each():
    pairs = zip(TRUTH, PREDICTION, strict=True)
    return metrics.class_counts(np.stack([metrics.confusion(t, p, 3) for t, p in pairs]))


def test_counts_of_smp(each):
    assert each.tp.tolist() == [[8, 3, 3], [11, 3, 0]]
    assert each.fp.tolist() == [[1, 0, 1], [0, 2, 0]]
    assert each.fn.tolist() == [[1, 1, 0], [2, 0, 0]]
    assert each.tn.tolist() == [[6, 12, 12], [3, 11, 16]]


def test_averages_of_smp(each):
    image, pooled = metrics.values(each, empty="one"), metrics.values(each.pooled())
    everything = metrics.values(each.pooled().pooled())
    assert image["iou"].mean() == pytest.approx(0.7910256385803223)  # macro-imagewise
    assert image["f1"].mean() == pytest.approx(0.8783068656921387)
    assert pooled["iou"].mean() == pytest.approx(0.7475845217704773)  # macro
    assert pooled["f1"].mean() == pytest.approx(0.8539683222770691)
    assert float(everything["iou"]) == pytest.approx(0.7777777910232544)  # micro
    assert float(everything["f1"]) == pytest.approx(0.875)


def test_per_image_figures_of_monai(each):
    dice = [[0.8888888955116272, 0.8571428656578064, 0.8571428656578064], [0.9166666865348816, 0.75, NAN]]
    iou = [[0.800000011920929, 0.75, 0.75], [0.8461538553237915, 0.6000000238418579, NAN]]
    np.testing.assert_allclose(metrics.dice(each), dice, rtol=1e-6)
    np.testing.assert_allclose(metrics.iou(each), iou, rtol=1e-6)
    dice[1][2] = 1.0  # ignore_empty=False
    np.testing.assert_allclose(metrics.dice(each, empty=1.0), dice, rtol=1e-6)


def test_means_of_monai(each):
    dice = metrics.dice(each)
    by_class = [0.9027777910232544, 0.8035714626312256, 0.8571428656578064]
    np.testing.assert_allclose(np.nanmean(dice, axis=0), by_class, rtol=1e-6)
    assert np.nanmean(dice, axis=1).mean() == pytest.approx(0.850529134273529)


def test_the_notebook_pools_the_batch_and_averages_over_classes(each):
    pooled = metrics.values(each.pooled())
    expected = {
        "dice": 0.8539683222770691,
        "iou": 0.7475845217704773,
        "precision": 0.8166666626930237,
        "recall": 0.9069263935089111,
        "accuracy": 0.9166666865348816,
        "specificity": 0.9285057187080383,
    }
    assert {name: float(pooled[name].mean()) for name in expected} == pytest.approx(expected, rel=1e-6)
    assert float(metrics.class_balanced_dice(each.pooled())) == pytest.approx(0.845643162727356, rel=1e-6)


def mask(rows=slice(0), columns=slice(0)):
    found = np.zeros((8, 8), int)
    found[rows, columns] = 1
    return found


LESION = mask(slice(2, 5), slice(2, 5))


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        (
            LESION,
            mask(slice(3, 6), slice(2, 5)),
            {
                "dice": 0.6666666666666666,
                "iou": 0.5,
                "recall": 0.6666666666666666,
                "specificity": 0.9454545454545454,
                "precision": 0.6666666865348816,
                "f1": 0.6666666865348816,
            },
        ),
        (
            LESION,
            mask(3, 3),
            {
                "dice": 0.2,
                "iou": 0.1111111111111111,
                "recall": 0.1111111111111111,
                "specificity": 1.0,
                "precision": 1.0,
            },
        ),
        (LESION, mask(), {"dice": 0.0, "iou": 0.0, "recall": 0.0, "specificity": 1.0, "precision": 0.0}),
        (
            mask(),
            LESION,
            {"dice": 0.0, "iou": 0.0, "recall": NAN, "specificity": 0.859375, "precision": 0.0, "f1": 0.0},
        ),
        (mask(), mask(), {"iou": NAN, "recall": NAN, "specificity": 1.0, "precision": NAN}),
        (LESION, LESION, {"dice": 1.0, "iou": 1.0, "recall": 1.0, "specificity": 1.0, "precision": 1.0}),
    ],
    ids=["shifted", "single pixel", "missed", "false alarm", "both empty", "perfect"],
)
def test_figures_of_metricsreloaded(truth, prediction, expected):
    found = metrics.values(metrics.foreground_counts(metrics.confusion(truth, prediction, 2)))
    assert {k: float(found[k]) for k in expected} == pytest.approx(expected, rel=1e-6, nan_ok=True)
