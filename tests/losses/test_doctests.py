"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import dmf_cli.fusion
from dmf_cli import losses, weighting

MODULES = [
    *(
        f"{package.__name__}.{module.name}"
        for package in (losses, weighting)
        for module in pkgutil.iter_modules(package.__path__)
    ),
    "dmf_cli.losses",
    "dmf_cli.weighting",
    "dmf_cli.fusion.model",
    "dmf_cli.errors",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", losses.__registry__)
def test_every_loss_has_an_example(name: str) -> None:
    assert doctest.DocTestFinder().find(getattr(losses, name))[0].examples


def test_fuse_has_an_example() -> None:
    assert doctest.DocTestFinder().find(dmf_cli.fusion.fuse)[0].examples
