"""The end of a run is extended from a few scored images."""

from types import SimpleNamespace

import pytest

from dmf_cli.planning import speed


def test_imports_of_the_first_scoring_do_not_hide_what_an_image_costs(monkeypatch):
    scored = []

    def score(session, run, indices):
        scored.append(len(indices))
        return len(indices) + (0 if scored[1:] else 30)  # a second an image, and imports

    monkeypatch.setattr(speed, "_scored", score)
    split = SimpleNamespace(test=tuple(range(100)))
    session = SimpleNamespace(data=SimpleNamespace(split=split), report=lambda run: None)
    assert speed._end(session, None) == pytest.approx(130, abs=1)
    assert scored == [speed.SCORED, speed.SCORED, 3 * speed.SCORED]
