"""The expected time is that of the run: a made-up session moves a made-up clock, timed and run."""

import dataclasses
import errno
from types import SimpleNamespace

import pytest

from dmf_cli import config
from dmf_cli.errors import PluginError
from dmf_cli.planning import follow, room, speed
from dmf_cli.planning.room import OutOfMemoryError
from dmf_cli.planning.settings import Chosen, Setting
from dmf_cli.run_folder.folder import RunFolder
from dmf_cli.terminal.formats import duration
from dmf_cli.training import session

IMPORTS = 11.0


class Clock:
    """Seconds that pass only where something is done."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def does(self, seconds):
        self.now += seconds


@dataclasses.dataclass
class Costs:
    """Seconds of the parts of a run."""

    open: float = 9.0
    compile_step: float = 21.0
    compile_validation: float = 6.0
    step: float = 0.25
    validation: float = 1.5
    checkpoint: float = 0.125
    import_scores: float = 5.0
    choose: float = 2.0  # thresholds and the like, on the validation images
    image: float = 0.5
    figures: float = 4.0
    report: float = 8.0


class Session:
    """What the trainer does, on a made-up clock."""

    clock: Clock
    costs: Costs
    steps_of_epoch: int
    test: int

    def __init__(self, settings):
        self.config, self.steps, self.scored = settings, self.steps_of_epoch, False
        self.data = SimpleData(SimpleSplit(tuple(range(self.test))))
        self.clock.does(self.costs.open)

    def save_split(self, run):
        pass

    def fit(self, run, display, note, tracking):
        for epoch in range(self.config.epochs):
            for step in range(self.steps):
                display.batch(step, self.steps)
                first = not epoch and not step
                self.clock.does(self.costs.step + (self.costs.compile_step if first else 0))
            self.clock.does(self.costs.validation + (0 if epoch else self.costs.compile_validation))
            self.clock.does(self.costs.checkpoint)
            display.epoch({})

    def evaluate(self, run):
        self.clock.does(0 if self.scored else self.costs.import_scores)
        self.scored = True
        self.clock.does(self.costs.choose + self.costs.image * len(self.data.split.test) + self.costs.figures)

    def report(self, run):
        self.clock.does(self.costs.report)


@dataclasses.dataclass(frozen=True)
class SimpleSplit:
    test: tuple


@dataclasses.dataclass(frozen=True)
class SimpleData:
    split: SimpleSplit


@pytest.fixture
def made_up(monkeypatch):
    """``made_up(steps, test, **costs)``: of a run with so many steps and test images."""

    def make(steps, test, **costs):
        clock = Clock()
        names = {"clock": clock, "costs": Costs(**costs), "steps_of_epoch": steps, "test": test}
        made = type("Made", (Session,), names)
        monkeypatch.setattr(speed, "clock", clock)
        monkeypatch.setattr(session, "Session", made)
        return clock, made

    return make


@pytest.fixture(scope="module")
def settings():
    return config.compose(["dataset=phantom", "trainer.epochs=100"])


def whole_run(clock, session, settings, epochs):
    """What ``train`` does, in seconds."""
    began = clock()
    clock.does(IMPORTS)
    run = session(settings.changed("trainer", epochs=epochs))
    run.fit(None, speed.Watch(), None, None)
    run.evaluate(None)
    run.report(None)
    return clock() - began


@pytest.mark.parametrize(("steps", "test"), [(1, 18), (5, 1), (40, 100)])
@pytest.mark.parametrize("costs", [{}, {"report": 60.0}, {"compile_validation": 50.0, "image": 3.0}])
def test_compiling_validation_scores_and_figures_are_expected(
    steps, test, costs, made_up, settings, tmp_path
):
    clock, session = made_up(steps, test, **costs)
    found = speed.of_run(settings, tmp_path, IMPORTS)
    for epochs in (5, 120):
        assert found.seconds(epochs, steps) == pytest.approx(whole_run(clock, session, settings, epochs))
    within = found.epochs(1000.0, steps)
    assert found.seconds(within, steps) <= 1000.0 < found.seconds(within + 1, steps)


class ResourceExhaustedError(Exception):
    """What TensorFlow raises, by its name."""


@pytest.mark.parametrize("place", ["__init__", "fit", "evaluate"])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ResourceExhaustedError("Graph execution error:\nOOM when allocating tensor"), OutOfMemoryError),
        (ResourceExhaustedError("train.csv; No space left on device"), ResourceExhaustedError),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes"), OutOfMemoryError),
        (MemoryError(), OutOfMemoryError),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), OutOfMemoryError),
        (FileNotFoundError(errno.ENOENT, "No such file", "out_of_memory.png"), FileNotFoundError),
        (PluginError("my.py, line 3: out of memory"), PluginError),
        (ValueError("shapes differ"), ValueError),
    ],
)
def test_only_a_want_of_memory_is_called_so(error, kind, place, made_up, settings, tmp_path, monkeypatch):
    def fails(*given):
        raise error

    _, session = made_up(5, 30)
    monkeypatch.setattr(session, place, fails)
    with pytest.raises(kind):
        speed.of_run(settings, tmp_path, IMPORTS)


def test_a_want_of_memory_is_found_behind_the_error_of_a_part():
    error = PluginError("my.py, line 3: it failed")
    assert room.of(error) is None
    error.__cause__ = MemoryError("of 9 bytes")
    found = room.of(error)
    assert "MemoryError (of 9 bytes)" in found.what


@pytest.mark.parametrize("imported", [False, True])
def test_a_run_takes_what_was_expected_whatever_was_imported_before(
    imported, made_up, settings, tmp_path, monkeypatch
):
    clock, session = made_up(5, 30)
    found = speed.of_run(settings, tmp_path / "a", IMPORTS)
    choice = Chosen(Setting(None, 128, 12, 16), found, 7, 5)
    plan = SimpleNamespace(choice=choice, as_json=lambda: {"seconds": choice.seconds})
    monkeypatch.setattr(follow, "sys", SimpleNamespace(modules={"keras": None} if imported else {}))

    def train(note):
        whole_run(clock, session, settings, 7)
        if imported:
            clock.now -= IMPORTS
        run = RunFolder.claim(tmp_path / "b")
        run.write_config(config.to_yaml(settings))
        run.write_status("completed", plan=note)
        run.release()
        return run.path

    said = []
    path = follow.follow(plan, train, said.append, clock)
    assert RunFolder.open(path).read_status()["plan"]["took"] == pytest.approx(choice.seconds, abs=0.1)
    assert said == [f"plan      expected {duration(choice.seconds)}, took {duration(choice.seconds)} (100%)"]


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
