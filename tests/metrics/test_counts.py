import numpy as np
import pytest

from dmf_cli import metrics
from dmf_cli.errors import DatasetError
from tests.raised import raises

TRUTH = np.array([[0, 0, 1], [2, 2, 1]])
PREDICTION = np.array([[0, 1, 1], [1, 2, 0]])


def test_confusion_has_the_truth_in_the_rows():
    matrix = metrics.confusion(TRUTH, PREDICTION, 3)
    assert matrix.tolist() == [[1, 1, 0], [1, 1, 0], [0, 1, 1]]
    assert matrix.dtype == np.int64


def test_counts_of_each_class_and_of_the_foreground():
    matrix = metrics.confusion(TRUTH, PREDICTION, 3)
    each = metrics.class_counts(matrix)
    assert each.tp.tolist() == [1, 1, 1]
    assert each.fp.tolist() == [1, 2, 0]
    assert each.fn.tolist() == [1, 1, 1]
    assert each.tn.tolist() == [3, 2, 4]
    foreground = metrics.foreground_counts(matrix)
    # The pixel of class 2 that was taken for class 1 is foreground in both.
    assert [int(foreground.tp), int(foreground.fp), int(foreground.fn), int(foreground.tn)] == [3, 1, 1, 1]


def test_a_stack_of_matrices_gives_the_counts_of_each_image():
    stack = np.stack([metrics.confusion(TRUTH, PREDICTION, 3), metrics.confusion(TRUTH, TRUTH, 3)])
    assert metrics.class_counts(stack).tp.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert metrics.foreground_counts(stack).fp.tolist() == [1, 0]
    assert metrics.class_counts(stack).pooled().tp.tolist() == [3, 3, 3]
    assert metrics.class_counts(stack)[1].truth.tolist() == [2, 2, 2]


def test_boolean_masks_and_any_rank_are_fine():
    mask = np.zeros((2, 2, 2), bool)
    mask[0] = True
    assert metrics.confusion(mask, ~mask, 2).tolist() == [[0, 4], [4, 0]]


@pytest.mark.parametrize(
    ("truth", "prediction", "key", "reason"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), "truth", "(2, 3) and prediction (3, 2)"),
        (np.full((2, 2), 7), np.zeros((2, 2), int), "truth", "has the label 7"),
        (np.zeros((2, 2), int), np.full((2, 2), -1), "prediction", "has the label -1"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "truth", "float64"),
    ],
)
def test_maps_that_cannot_be_compared(truth, prediction, key, reason):
    with raises(DatasetError, key=key, reason=reason):
        metrics.confusion(truth, prediction, 2)
