"""What was tried and what it cost, for the table of ``scripts/faults.py`` and for tests."""

import dataclasses
import time
from pathlib import Path

from tests.faults import truth
from tests.faults.runs import End


@dataclasses.dataclass
class Tally:
    """The count of one part of the campaign.

    Args:
        name: of the part.
        tried: how many faults.
        lost: work that was there and is not, or an end that no command repairs; each with where it was.
        unequal: results that are not those of the undisturbed run.
        untrue: a status or a message that says what is not so.
        note: for the table.
    """

    name: str
    tried: int = 0
    lost: list[str] = dataclasses.field(default_factory=list)
    unequal: list[str] = dataclasses.field(default_factory=list)
    untrue: list[str] = dataclasses.field(default_factory=list)
    note: str = ""
    begun: float = dataclasses.field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def problems(self) -> list[str]:
        """All of them."""
        return [*self.lost, *self.unequal, *self.untrue]

    def crashed(self, where: str, folder: Path, reached: truth.Position) -> None:
        """Look at what a crash has left of a run that had ``reached`` a checkpoint."""
        self.tried += 1
        self.lost += [f"{where}: {what}" for what in truth.losses(folder, reached)]
        self.untrue += [f"{where}: {what}" for what in truth.lies(folder)]

    def resumed(self, where: str, whole: Path, folder: Path, end: End) -> None:
        """Compare a run that was resumed, and ended so, with the undisturbed one."""
        if end.code != 0:
            self.lost.append(f"{where}: resume ends with {end.code}: {' '.join(end.errors)}")
            return
        found = truth.differences(whole, folder)
        self.untrue += [f"{where}: {what}" for what in found if what.startswith(truth.AT_THE_END)]
        self.unequal += [f"{where}: {what}" for what in found if not what.startswith(truth.AT_THE_END)]

    def check(self, true: bool, what: str) -> None:
        """A message or a state that has to be so."""
        if not true:
            self.untrue.append(what)

    def stop(self) -> "Tally":
        """The time is taken."""
        self.seconds = time.monotonic() - self.begun
        return self
