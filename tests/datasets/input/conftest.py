import numpy as np
import pytest

from dmf_cli.datasets.input import pipeline


@pytest.fixture
def prepared():
    """Eight images of a bright square with its mask, off the centre."""
    inputs, labels = np.full((8, 32, 32, 1), 0.25, np.float32), np.zeros((8, 32, 32), np.uint8)
    inputs[:, 8:14, 20:28], labels[:, 8:14, 20:28] = 0.75, 1
    return pipeline.Prepared(inputs, labels, tuple("abcdefgh"))
