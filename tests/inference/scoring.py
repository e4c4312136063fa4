"""Scores with the settings of inputs and decisions by name."""

from dmf_cli.datasets.input_spec import InputSpec, as_size
from dmf_cli.inference.evaluation import evaluate
from dmf_cli.inference.prediction import Prediction


def evaluated(
    predict,
    dataset,
    indices,
    *,
    image_size,
    resize="stretch",
    normalize="unit",
    threshold=0.5,
    resolution="original",
    **options,
):
    """What :func:`evaluate` gives."""
    spec = InputSpec(as_size(image_size), resize, normalize)
    return evaluate(predict, dataset, indices, prediction=Prediction(spec, threshold, resolution), **options)
