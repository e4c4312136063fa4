"""How an image file becomes the input of an exported network, and its output a mask, pixel by pixel.

The words of `dmf predict` (:mod:`dmf_cli.datasets.sources.image_files`, :mod:`dmf_cli.datasets.input_spec`,
:mod:`dmf_cli.inference.predictor`) for readers without dmf; a test follows them and gets the same masks.
"""

from typing import Any

from dmf_cli.datasets.input_spec import InputSpec
from dmf_cli.inference import tiles
from dmf_cli.inference.dice_optimal import LEAST
from dmf_cli.inference.prediction import Prediction

RESAMPLING = {"interpolation": "bilinear", "antialias": True, "align_corners": False}
_RESIZED = (
    "bilinear, with antialiasing (where it shrinks, the triangle filter is as wide as the factor: "
    "Image.resize(size, BILINEAR) of Pillow on float32), pixel centres at half positions"
)
_NORMALISED = {
    "unit": "divide by 255",
    "minmax": "(x - min) / max(max - min, 1e-6), of all channels of this image together",
    "zscore": "(x - mean) / max(standard deviation, 1e-6), of all channels of this image together",
}

ORDER = ("orient", "scale", "colours", "resize", "normalize", "pad")
_LARGEST = (
    "of each class keep the largest component (pixels with a common side or corner are neighbours), the "
    "first from the top of equals; the rest is background"
)
_FILLED = (
    "background that a class encloses (a path along the sides of pixels does not reach the edge) becomes "
    "this class, of several the smallest with its holes filled"
)


def image_to_input(spec: InputSpec) -> dict[str, Any]:
    """The part of the note that says how files become inputs."""
    grey = spec.channels == 1
    return {
        "colours": "grey" if grey else "RGB, in this order",
        "grey_weights": [0.299, 0.587, 0.114] if grey else None,
        "range": spec.reading.range,
        "size": list(spec.size),
        "resize": spec.resize,
        **RESAMPLING,
        "normalize": spec.normalize,
        "padding": 0.0 if spec.resize == "letterbox" else None,
        "tiles": {"step": tiles.STEP, "sigma": tiles.SIGMA} if spec.patch else None,
        "order": [*ORDER, *(["cut"] if spec.patch else [])],
        "steps": list(_steps(spec, grey)),
    }


def output_to_mask(prediction: Prediction, classes: int) -> dict[str, Any]:
    """The part of the note that says how outputs become masks of the image's own size."""
    spec = prediction.spec
    joined = [_joined(spec)] if spec.patch else []
    # Without tiles the temperature is in the network.
    temperature = prediction.temperature if spec.patch and prediction.temperature != 1.0 else None
    temper = [_tempered(temperature)] if temperature else []
    crop = ["cut the padding off"] if spec.resize == "letterbox" else []
    size = "resize the probabilities of each class, float32, to the size of the oriented image: " + _RESIZED
    component, holes = prediction.component == "largest", prediction.holes == "fill"
    clean = [*([_LARGEST] if component else []), *([_FILLED] if holes else [])]
    dice = prediction.decision == "dice"
    return {
        **RESAMPLING,
        "temperature": temperature,
        "decision": "dice" if dice else "threshold" if classes == 2 else "likeliest",
        "threshold": prediction.threshold if classes == 2 and not dice else None,
        "least": LEAST if dice else None,
        "component": prediction.component,
        "holes": prediction.holes,
        "order": [
            *(["join"] if joined else []),
            *(["temper"] if temper else []),
            *(["crop"] if crop else []),
            *("resize", "decide"),
            *(["largest component"] if component else []),
            *(["fill holes"] if holes else []),
        ],
        "steps": [*joined, *temper, *crop, size, _decided(dice, classes), *clean],
    }


def _decided(dice: bool, classes: int) -> str:
    if not dice:
        likeliest = "the class of the largest probability, the first of equals"
        return "foreground where the last channel is at least the threshold" if classes == 2 else likeliest
    one = (
        f"empty if no probability p is above {LEAST:g}; else the pixels with p above c, where c begins with "
        "0 and is replaced by (sum of p in the mask) / (sum of p + pixels in the mask + 1) until it rises no "
        "more"
    )
    if classes == 2:
        return f"the mask with the highest expected Dice: {one}; p: the last channel"
    return (
        f"a mask of each class above 0 with the highest expected Dice: {one}. A pixel in several masks goes "
        "to the class with the largest (I + p) / (S + 1) - I / S, the first of equals, where I is the sum of "
        "p and n the number of the pixels that are in this mask alone, and S = sum of p + n + 1"
    )


def _joined(spec: InputSpec) -> str:
    height, width = spec.network_size
    return (
        f"the network takes tiles of {height}x{width}: from one to the next at most half a tile, evenly "
        "spread from edge to edge, their corners rounded (halves to even). The probabilities of a pixel are "
        "the mean of those in its tiles, weighted by exp(-(u^2 + v^2) / 2), u = (row - height // 2) / "
        "(height / 8) and v likewise of the column in the tile"
    )


def _tempered(temperature: float) -> str:
    return (
        f"raise the probabilities of the classes (of a single channel p: 1 - p and p) to the power of 1 / "
        f"{temperature:g} and divide them by their sum; of a single channel keep the latter"
    )


def _steps(spec: InputSpec, grey: bool) -> list[str]:
    limits = spec.reading.range
    scale = (
        f"scale and cut off so that {limits[0]} is 0 and {limits[1]} is 255, float32; DICOM: of rescaled "
        "values, without its window"
        if limits
        else "black is 0 and white 255: 8 bits as they are, 16 bits as value / 257 in float32; DICOM: "
        "rescaled, through its first window or VOI LUT, black and white being the least and the greatest "
        "value that its bits can hold"
    )
    colours = (
        "grey = 0.299 R + 0.587 G + 0.114 B; of 8 bits rounded as Pillow's convert('L') does, "
        "(19595 R + 38470 G + 7471 B + 32768) >> 16"
        if grey
        else "three channels R, G, B; grey files repeat theirs"
    )
    whole = (
        "to the whole input"
        if spec.resize == "stretch"
        else "to round(H * s) x round(W * s), at least 1 and at most the input, s = min(h / H, w / W), where "
        "H x W is the image and h x w the input, and halves are rounded to even"
    )
    pad = "pad with 0 to the input: (h - height) // 2 rows above, (w - width) // 2 columns on the left"
    return [
        "turn the image as its EXIF orientation says, and drop alpha",
        f"{scale}, and MONOCHROME1 inverted inside these limits",
        colours,
        f"resize each channel as float32 {whole}: {_RESIZED}",
        f"normalise: {_NORMALISED[spec.normalize]}",
        *([pad] if spec.resize == "letterbox" else []),
    ]
