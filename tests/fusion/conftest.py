"""Fixtures of the tests of FusedModel."""

import pytest

from dmf_cli import Auxiliary
from dmf_cli.fusion import FusedModel
from tests.fusion.toys import X, Y, fit, fused


@pytest.fixture(scope="session")
def trained() -> tuple[FusedModel, list[dict[str, float]], dict[str, list[float]]]:
    """A run of two epochs with an auxiliary loss: the model, its steps, its logs."""
    model = fused(auxiliary=Auxiliary("cbdice", gamma0=2.0, decay=0.5, every=3))
    logs = fit(model, 2, validation_data=(X[:6], Y[:6]))
    return model, model.recorder.take(), logs
