"""Scores with the settings of inputs and decisions by name."""

from dmf_cli.datasets.input_spec import InputSpec, as_size
from dmf_cli.inference.evaluation import evaluate
from dmf_cli.inference.predictor import Decision


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
    return evaluate(predict, dataset, indices, decision=Decision(spec, threshold, resolution), **options)
