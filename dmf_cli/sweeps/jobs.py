"""The jobs of a sweep, composed and checked before anything runs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli.config.schema import Sweep
from dmf_cli.config.typed import Config
from dmf_cli.errors import ConfigError
from dmf_cli.jobs import share
from dmf_cli.run_folder import identity, index, places

PARAMS = "hydra.sweeper.params."
MANY = 10  # jobs, whose check takes some seconds


@dataclasses.dataclass(frozen=True, eq=False)
class SweepJob:
    """One run of a sweep.

    Args:
        number: from 1.
        overrides: what the command line says for it, all of it.
        config: checked.
        id: of the run, see :mod:`dmf_cli.run_folder.identity`.
        label: key -> value of the overrides that differ between the jobs.
    """

    number: int
    overrides: tuple[str, ...]
    config: Config
    id: str
    label: Mapping[str, str]

    def __str__(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.label.items()) or "no choices"

    @property
    def root(self) -> Path:
        """Where its run folder is, or will be made."""
        return Path(self.config.run_dir or self.config.output_root).expanduser()


@dataclasses.dataclass(frozen=True)
class SweepPlan:
    """Everything that ``dmf train -m`` is about to do.

    Args:
        jobs: in the order of the command line.
        settings: the ``sweep`` group.
        overrides: the command line.
        launcher: the option of ``hydra/launcher``.
    """

    jobs: tuple[SweepJob, ...]
    settings: Sweep
    overrides: tuple[str, ...] = ()
    launcher: str = "basic"


def plan(overrides: Sequence[str], note: Callable[[str], None] = lambda text: None) -> SweepPlan:
    """The jobs of ``dmf train -m OVERRIDES``.

    Args:
        overrides: of the command line.
        note: receives a line on what takes a while, and which keys do not hold for all jobs.

    Raises:
        ConfigError: an override or a value of any job is wrong, or two jobs want one folder.
        RunFolderError: ``run_dir`` of a job is something else already.
        DatasetError: the images of a job cannot be read.
    """
    from dmf_cli.config import composer, hydra_settings, partial

    for word in overrides:
        if word.lstrip("+").startswith(PARAMS):
            raise ConfigError(
                f"{word} is for config files",
                key=word.partition("=")[0],
                hint=f"write {word.lstrip('+').removeprefix(PARAMS)}",
            )
    sweep = composer.sweep(overrides)
    if not sweep.jobs:
        raise ConfigError(
            f"{_empty(overrides)} has no value", hint="give one at least, or there is no job to run"
        )
    settings = sweep.settings.hydra
    launcher = str(settings.runtime.choices["hydra/launcher"])
    if launcher == "basic":
        hydra_settings.check(settings, multirun=True)
    applied = partial.apply(sweep.jobs, sweep.hydra)
    for line in applied.notes:
        note(line)
    labels = differing(applied.jobs)
    for key in dict.fromkeys(key for label in labels for key in label):
        if key.partition(".")[0] == "sweep":
            raise ConfigError(
                key=key, reason="differs between the jobs", hint="it is of the whole sweep, give one value"
            )
    if len(applied.jobs) > MANY:
        note(f"composing and checking {len(applied.jobs)} jobs")
    jobs = []
    for number, (words, label) in enumerate(zip(applied.jobs, labels, strict=True), start=1):
        config = composer.compose([*words, *sweep.hydra])
        share.check(config)
        jobs.append(SweepJob(number, tuple(words), config, identity.run_id(config), label))
    _check_folders(jobs)
    return SweepPlan(tuple(jobs), jobs[0].config.sweep, tuple(overrides), launcher)


def single(overrides: Sequence[str]) -> SweepPlan:
    """The one job of ``dmf train OVERRIDES``.

    Raises:
        ConfigError: an override or a value is wrong.
        RunFolderError: ``run_dir`` is something else already.
    """
    from dmf_cli.config import composer

    config = composer.compose(overrides)
    jobs = (SweepJob(1, tuple(overrides), config, identity.run_id(config), {}),)
    _check_folders(jobs)
    return SweepPlan(jobs, config.sweep, tuple(overrides))


def held(overrides: Sequence[str]) -> dict[str, str]:
    """The choices, such as ``{"seed": "0,1"}``, that ``-m`` would take from the experiment of ``overrides``.

    Raises:
        ConfigError: an override is wrong.
    """
    from omegaconf import OmegaConf

    from dmf_cli.config import composer

    sweeper: Any = OmegaConf.to_container(
        composer.compose_raw(overrides, hydra=True).hydra.sweeper, resolve=False
    )
    return dict(sweeper.get("params") or {})


def _empty(overrides: Sequence[str]) -> str:
    """Which of ``overrides`` is a choice of nothing, as far as each of them tells."""
    from dmf_cli.config import composer

    choices = [word for word in overrides if "=" in word and not word.lstrip("+~").startswith("hydra")]
    return next((word for word in choices if not composer.sweep([word]).jobs), "the sweep")


def differing(jobs: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Key -> value for each job, of its overrides that are not the same in all of them."""
    given = [dict(word.split("=", 1) for word in job) for job in jobs]
    keys = dict.fromkeys(key for job in given for key in job)
    varying = [key for key in keys if len({job.get(key) for job in given}) > 1]
    return [{key.lstrip("+"): job[key] for key in varying if key in job} for job in given]


def distinct_settings(configs: Sequence[Config], by: Sequence[str] | None = None) -> int:
    """How many settings a comparison would find in ``configs``: seeds and folds repeat one.

    Args:
        configs: checked.
        by: what makes a setting, None for all that differs.
    """
    from dmf_cli.comparison import loading, settings

    runs = [loading.Run(Path(), loading.flat(config.plain), {}, "", "") for config in configs]
    try:
        return len({placed.setting for placed in settings.place(runs, by)})
    except ConfigError:  # what it is to be by makes no setting
        return 1


def _check_folders(jobs: Sequence[SweepJob]) -> None:
    """``run_dir`` must depend on the job, as ``run_dir='outputs/${weighting.name}_${seed}'`` does."""
    owners: dict[str, SweepJob] = {}
    for job in jobs:
        exact = job.config.run_dir
        if exact is None:
            continue
        place = Path(exact).expanduser()
        if index.read(place).id != job.id:
            places.check_free(place)
        other = owners.setdefault(str(place.absolute()), job)
        if other.id != job.id:
            raise ConfigError(
                key="run_dir",
                value=exact,
                reason=f"the same for jobs {other.number} ({other}) and {job.number} ({job})",
                hint="use output_root=..., or put what differs into it, as run_dir='outputs/x/${seed}'",
            )
