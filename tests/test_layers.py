"""The markers of the layers: what they choose is there, and a test has those of its file and its kind."""

import re

import pytest

from tests import layers


@pytest.mark.parametrize("entry", layers.SLOW)
def test_what_is_slow_exists(entry: str) -> None:
    path, _, name = entry.partition("::")
    place = layers.TESTS / path
    assert place.is_dir() if path.endswith("/") else place.is_file()
    assert not name or re.search(rf"^ *def {name}\(", place.read_text(), re.MULTILINE)


def test_a_test_has_the_markers_of_its_layers(request: pytest.FixtureRequest) -> None:
    found = {item.nodeid: {m.name for m in item.iter_markers()} for item in request.session.items}
    ours = [markers for name, markers in found.items() if "test_layers.py" in name]
    assert ours
    assert all(not markers & set(layers.MARKERS) for markers in ours)
    for name, markers in found.items():
        assert ("smoke" in markers) == name.startswith("tests/smoke/")
        assert ("golden" in markers) == bool(re.search(r"/test_(golden|peers)\.py", name))
        assert {"commands"} <= markers or not name.startswith("tests/cli/")
        assert {"slow"} <= markers or not name.startswith("tests/smoke/")


def test_hypothesis_and_the_command_line_are_seen() -> None:
    class Module:
        pass

    from hypothesis import given
    from hypothesis import strategies as st

    from dmf_cli.cli import main

    @given(st.integers())
    def anything(number: int) -> None: ...

    Module.main = main.main  # type: ignore[attr-defined]

    class Item:
        path, module, function = layers.TESTS / "figures/test_it.py", Module, anything

    assert layers._layers(Item) == ["property", "commands"]  # type: ignore[arg-type]


def test_what_is_slow_as_a_whole_is_not_even_imported_by_make_test_fast() -> None:
    class Config:
        class option:  # noqa: N801 - as in pytest
            markexpr = "not slow"

    for path, slow in {"smoke": True, "losses/test_large.py": True, "cli": False}.items():
        assert layers.ignored(layers.TESTS / path, Config) == slow  # type: ignore[arg-type]
    Config.option.markexpr = "not torch"
    assert not layers.ignored(layers.TESTS / "smoke", Config)  # type: ignore[arg-type]
