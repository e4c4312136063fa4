"""A region of another image of the batch, with its labels."""

from typing import Any

from dmf_cli.augmentations._affine import Draw


def cutmix(images: Any, labels: Any, draw: Draw, probability: float) -> tuple[Any, Any]:
    """A rectangle of each image, with ``probability``, is that of the image before it in the batch.

    Labels come with it as they are, so that every loss works. The share of the area is uniform in [0, 1], but
    for what lies beyond the border. The images of a batch depend on seed and epoch: a run repeats still.

    Args:
        images: ``(batch, H, W, C)``.
        labels: ``(batch, H, W)``.
        draw: see :func:`dmf_cli.augmentations.affine`; stream 9.
        probability: of a rectangle; 0 draws nothing.

    Source: Yun et al., CutMix, ICCV 2019, arXiv 1905.04899.
    """
    import tensorflow as tf

    if not probability:
        return images, labels
    chance, share, *centre = tf.unstack(0.5 + 0.5 * draw(9, (4,)), axis=1)
    half = tf.where(chance < probability, 0.5 * tf.sqrt(share), 0.0)[:, None]
    rows, columns = (
        tf.abs((tf.range(side, dtype=tf.float32) + 0.5) / side - middle[:, None]) < half
        for side, middle in zip(images.shape[1:3], centre, strict=True)
    )
    inside = rows[:, :, None] & columns[:, None, :]
    other, marks = (tf.roll(part, 1, axis=0) for part in (images, labels))
    return tf.where(inside[..., None], other, images), tf.where(inside, marks, labels)
