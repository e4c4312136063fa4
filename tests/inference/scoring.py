"""Scores with the settings of inputs and masks by name."""

from dmf_cli.datasets.input_spec import InputSpec, as_size
from dmf_cli.inference.evaluation import evaluate
from dmf_cli.inference.prediction import Prediction
from dmf_cli.inference.predictor import predictions


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
    batch_size=32,
    temperature=1.0,
    **options,
):
    """What :func:`evaluate` gives."""
    spec = InputSpec(as_size(image_size), resize, normalize)
    prediction = Prediction(spec, threshold, resolution, temperature=temperature)

    def source(chosen):
        return predictions(predict, dataset, chosen, prediction, batch_size)

    return evaluate(source, dataset, indices, prediction=prediction, **options)
