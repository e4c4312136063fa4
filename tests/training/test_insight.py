"""``trainer.insight_every``: what a run records of its terms' gradients, also over an interruption."""

import pytest

from dmf_cli.training import trainer
from tests.tables import rows


def test_insight_is_recorded_drawn_and_goes_on_after_an_interruption(tiny, drawn, monkeypatch):
    options = ("trainer.insight_every=3", "trainer.epochs=3")
    whole = trainer.train(tiny(*options, run="whole"))
    shown = trainer.Display.epoch

    def stop(self, row):
        shown(self, row)
        if row["epoch"] == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer.Display, "epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        trainer.train(tiny(*options, run="part"))
    monkeypatch.undo()
    part = whole.with_name("part")
    with (part / "insight.csv").open("a") as file:
        file.write("9,2,0,0,0,0,0,0,0\n")  # of an epoch that was not finished
    trainer.resume(part)
    found = rows(whole / "insight.csv")
    assert rows(part / "insight.csv") == found
    assert [int(float(row["step"])) for row in found] == [0, 3, 6, 9]
    sizes = [f"{kind}.{term}" for kind in ("norm", "mean_abs", "max_abs") for term in ("cbdice", "bce")]
    assert list(found[0]) == ["step", "epoch", *sizes, "cosine.cbdice|bce"]
    assert all(float(row["norm.cbdice"]) > 0 for row in found)
    assert all(-1 <= float(row["cosine.cbdice|bce"]) <= 1 for row in found)
    assert (whole / "plots" / "insight.png").stat().st_size > 0
    assert list(rows(whole / "steps.csv")[0]) == [
        *("step", "epoch", "loss", "gamma", "aux", "loss.cbdice", "loss.bce", "weight.cbdice", "weight.bce")
    ]
