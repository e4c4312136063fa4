"""A strategy of the user's is tried before the training, whose guards would hide that it gives nothing."""

import pytest

from dmf_cli import weighting
from dmf_cli.config.typed import Choice
from dmf_cli.errors import PluginError
from dmf_cli.parts import plugins
from dmf_cli.training import build
from tests.raised import raises

HEAD = """import dmf_cli
from dmf_cli import weighting
from keras import ops

@dmf_cli.strategy
class mine({base}):
"""


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("def adapt(self, state, losses): return {}, losses * float('nan')", "gives the weights [nan, nan]"),
        ("def adapt(self, state, losses): return {}, -losses", "gives the weights [-"),
        ("def adapt(self, state, losses): return {}, ops.concatenate([losses, losses])", "of shape (4,)"),
        ("def adapt(self, state, losses): return losses", "and not (memory, weights)"),
        ("def adapt(self, state, losses): return {'a': losses}, losses", "gives a, which memory() does not"),
        ("def adapt(self, state, losses): return 1 / 0, losses", "line 7: strategy 'mine' fails with Zero"),
        ("pass", "does not define adapt"),
        ("def __init__(self, *, a=1.0, **common): self.a = a", "has no attribute"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path, body, what):
    (tmp_path / "my.py").write_text(HEAD.format(base="weighting.Strategy") + f"    {body}\n")
    plugins.activate([str(tmp_path / "my.py")])
    with raises(PluginError, path=tmp_path / "my.py") as caught:
        build.strategy(Choice("mine", {"warmup": 1}), [1.0, 1.0], 10)
    assert what in str(caught.value)
    assert str(caught.value).startswith("my.py, line ")


def test_a_class_that_is_no_strategy(tmp_path):
    (tmp_path / "my.py").write_text(HEAD.format(base="object") + "    pass\n")
    plugins.activate([str(tmp_path / "my.py")])
    with raises(PluginError, allowed="a subclass of dmf_cli.weighting.Strategy"):
        build.strategy(Choice("mine", {}), [1.0, 1.0], 10)


@pytest.mark.parametrize("name", weighting.__registry__)
def test_the_strategies_of_dmf_give_weights(name):
    params = {"steps_per_epoch": 2} if name == "dwa" else {}
    assert weighting.fault(weighting.get(name, **params)) == ""
