"""A search on disk: what it is of, its trials, and the lock of who works on it."""

import contextlib
import dataclasses
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmf_cli import bounded, conf_files, hints
from dmf_cli.config import composer, keys, schema, types
from dmf_cli.config.typed import Config
from dmf_cli.config.types import unknown_key
from dmf_cli.errors import ConfigError, RunFolderError, UnknownNameError, UsageError
from dmf_cli.files import disk_errors, write_atomic
from dmf_cli.hashes import digest
from dmf_cli.jobs import share
from dmf_cli.run_folder import headline
from dmf_cli.tuning import space as spaces
from dmf_cli.tuning.options import OWN as OWN
from dmf_cli.tuning.space import Space

JOURNAL, DESCRIPTION = "journal.log", "study.json"
ALIKE = ("seed", "split", "metrics", "eval")  # groups and keys that all trials share
PRUNERS = ("median", "hyperband", "none")


@dataclasses.dataclass(frozen=True)
class SearchPlan:
    """A search before it begins.

    Args:
        words: what all trials are trained with.
        config: the same, checked.
        space: what is searched.
        folder: of the study.
        trials: how many in all, those of earlier calls included.
        workers: trials at a time.
        pruner: one of ``PRUNERS``.
    """

    words: tuple[str, ...]
    config: Config
    space: Space
    folder: Path
    trials: int
    workers: int
    pruner: str

    @property
    def monitor(self) -> str:
        """The validation figure that is searched for; never one of the test split."""
        return headline.planned_monitor(self.config)

    @property
    def maximize(self) -> bool:
        """Whether large values of the monitor are good."""
        return not ("loss" in self.monitor or "objective" in self.monitor)


def plan(words: Sequence[str]) -> SearchPlan:
    """The search of ``dmf tune WORDS``, checked as far as it can be before anything runs.

    Raises:
        UsageError: an option, an override or a value anywhere in the space is wrong, or nothing is searched.
    """
    own, rest = _own(words)
    searched, fixed = spaces.parse(rest)
    if not any(word.partition("=")[0] == "weighting" for word in [*fixed, *(d.key + "=" for d in searched)]):
        fixed = [*fixed, "weighting=fixed"]
    for word in fixed:
        if word.partition("=")[0] == "run_dir":
            raise ConfigError(
                f"{word} cannot be given",
                key="run_dir",
                hint="trials have folders in the study; set study=PATH",
            )
    _check_meaning(searched)
    _check_whole(searched, fixed)
    first = [f"{dimension.key}={dimension.ends()[0]}" for dimension in searched]
    config = composer.compose([*fixed, *first])
    share.check(config)
    space = _space(searched, config, own)
    words = tuple(word for word in fixed if not (space.coefficients and word.startswith("loss=")))
    _check_values(space, [*words, *first])
    folder = Path(own["study"]).expanduser() if own["study"] else _folder(config, space, words)
    pruner = own["pruner"]
    if pruner not in PRUNERS:
        raise UnknownNameError("pruner", pruner, PRUNERS)
    made = SearchPlan(words, config, space, folder, _whole(own, "trials"), _whole(own, "workers"), pruner)
    if space.coefficients and made.monitor == headline.OBJECTIVE:
        raise ConfigError(
            key="trainer.monitor",
            value=made.monitor,
            reason="a sum with the weights that are searched",
            hint="small weights on large losses would win; use trainer.monitor=auto",
        )
    return made


def _own(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The options of ``dmf tune`` itself, and the overrides; what is neither is matched with both."""
    own, rest = dict(OWN), []
    known = {*conf_files.groups(), *schema.PLAIN, *(field.name for field in dataclasses.fields(schema.Root))}
    for word in words:
        key, sign, value = word.partition("=")
        if sign and key in OWN:
            own[key] = value
            continue
        if sign and key.isidentifier() and key not in known:
            raise unknown_key("", key, [*OWN, *known])
        rest.append(word)
    return own, rest


def _space(searched: Sequence[spaces.Dimension], config: Config, own: Mapping[str, str]) -> Space:
    if own["weights"] not in ("true", "false"):
        raise ConfigError(key="weights", value=own["weights"], allowed="true or false")
    coefficients = {term: float(value) for term, value in config.loss.coefficients.items()}
    fixed = config.weighting.name == "fixed" and not any(
        dimension.key in ("loss", "weighting") for dimension in searched
    )
    mine = own["weights"] == "true" and fixed and len(coefficients) > 1
    try:
        ratio = float(own["ratio"])
    except ValueError:
        ratio = 0.0
    if not 1 < ratio < 1e4:
        raise ConfigError(key="ratio", value=own["ratio"], allowed="a number above 1, as ratio=30")
    dimensions = [*(spaces.weights(coefficients, ratio) if mine else []), *searched]
    if not dimensions:
        raise UsageError(
            "there is nothing to search",
            hint="weights are searched for weighting=fixed and two terms or more; or give a key, as "
            "'optimizer.learning_rate=tag(log,interval(1e-4,1e-2))'",
        )
    return Space(tuple(dimensions), coefficients if mine else {})


def _check_meaning(searched: Sequence[spaces.Dimension]) -> None:
    """Trials are compared: all must be scored alike, on the same images."""
    for dimension in searched:
        if dimension.key == "dataset" or dimension.key.partition(".")[0] in ALIKE:
            raise ConfigError(
                key=dimension.key,
                reason="cannot be searched",
                hint="trials that are repeated, divided or scored in another way cannot be compared; give it "
                "one value",
            )


def _check_whole(searched: Sequence[spaces.Dimension], words: Sequence[str]) -> None:
    """Keys that take whole numbers only, which the function of a model says no sooner than in training."""
    default = keys.default_choices()
    given = {key: value for key, _, value in (word.partition("=") for word in words) if key in default}
    kinds = keys.types({**default, **given})
    for dimension in searched:
        words = types.alternatives(kinds.get(dimension.key))
        if dimension.kind == "float" and words[0].startswith("int") and not any("float" in w for w in words):
            low, high = (f"{end:g}" for end in (dimension.low, dimension.high))
            raise ConfigError(
                key=dimension.key,
                reason="takes whole numbers",
                hint=f"write {dimension.key}=int(interval({low},{high}))",
            )


def _check_values(space: Space, words: Sequence[str]) -> None:
    """Compose the config at both ends of each dimension: a wrong value is reported before hours are spent."""
    for dimension in space.dimensions:
        if dimension.key.startswith(spaces.WEIGHT):
            continue
        others = [word for word in words if word.partition("=")[0] != dimension.key]
        for end in dimension.ends()[1:]:
            share.check(composer.compose([*others, f"{dimension.key}={end}"]))


def _whole(own: Mapping[str, str], key: str) -> int:
    if not (own[key].isdecimal() and int(own[key]) >= 1):
        raise ConfigError(key=key, value=own[key], allowed="a whole number of 1 or above")
    return int(own[key])


def _folder(config: Config, space: Space, words: Sequence[str]) -> Path:
    """The same command finds the same study; more trials are no other search."""
    from dmf_cli.run_folder import identity

    what = identity.run_id(config)
    name = f"{config.loss.expression}_{config.dataset.name}"
    kept = "".join(c if c.isalnum() or c in "+._-" else "-" for c in name)[:60]
    return Path(config.output_root).expanduser() / "tune" / f"{kept}_{_signature(what, space)}"


def _signature(what: str, space: Space) -> str:
    text = json.dumps([what, [str(d) for d in space.dimensions], dict(space.coefficients)])
    return digest(text, 8)


@contextlib.contextmanager
def opened(plan: SearchPlan) -> Iterator[Any]:
    """The Optuna study of ``plan``, made or resumed; no other process works on it meanwhile.

    Raises:
        RunFolderError: the folder cannot be written to, is no study, or is at work.
        ConfigError: it is the study of another search.
        DatasetError: the images cannot be read.
    """
    from dmf_cli.jobs.claim import Claim

    _check_optuna()  # before anything is left behind
    described = _described(plan)
    _check_folder(plan, described["search"])
    with disk_errors(plan.folder):
        plan.folder.mkdir(parents=True, exist_ok=True)
    claim = Claim(plan.folder, "tune")
    if not claim.take():
        raise RunFolderError(
            path=plan.folder, reason="is in use by another dmf tune", hint="wait, or give study=PATH"
        )
    try:
        write_atomic(plan.folder / DESCRIPTION, json.dumps(described, indent=2) + "\n")
        yield _optuna(plan)
    finally:
        claim.release()


def _check_folder(plan: SearchPlan, search: Mapping[str, Any]) -> None:
    file = plan.folder / DESCRIPTION
    if not plan.folder.exists() or (plan.folder.is_dir() and not any(plan.folder.iterdir())):
        return
    try:
        found = bounded.read_json(file)
    except (OSError, ValueError):
        raise RunFolderError(
            path=plan.folder, reason="exists and is no study", hint="give another one, as study=PATH"
        ) from None
    if not isinstance(found, dict) or not _is_same(found.get("search"), search):
        raise ConfigError(
            path=plan.folder, reason=f"is of another search (see {file})", hint="give another study=PATH"
        )


def _is_same(found: Any, search: Mapping[str, Any]) -> bool:
    """Whether ``found`` describes the same search: by its words, or by its id, which no place is part of."""
    if not isinstance(found, Mapping) or {*found} - {"id"} != {*search} - {"id"}:
        return False
    differing = {key for key in search if found.get(key) != search[key]}
    return differing <= {"id"} or differing == {"words"}


def _described(plan: SearchPlan) -> dict[str, Any]:
    from dmf_cli.run_folder import identity

    searched: dict[str, Any] = {"words": list(plan.words), "id": identity.run_id(plan.config)}
    searched["space"] = [str(d) for d in plan.space.dimensions]
    return {"search": {**searched, "monitor": plan.monitor}, "trials": plan.trials, "pruner": plan.pruner}


def _check_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise UsageError("dmf tune needs Optuna", hint=hints.install("tune")) from None


def _optuna(plan: SearchPlan) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(logging.ERROR)
    path = plan.folder / JOURNAL
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))
        study = optuna.create_study(
            storage=storage,
            study_name="dmf",
            load_if_exists=True,
            direction="maximize" if plan.maximize else "minimize",
            pruner=_pruner(plan, optuna.pruners),
        )
        done = len(study.trials)
    except (ValueError, KeyError, OSError) as error:
        raise RunFolderError(
            path=path, reason=f"is damaged ({type(error).__name__})", hint="give another study=PATH"
        ) from None
    # Drawn anew after a pause: the same seed would begin with the same trials again.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # `constant_liar`
        study.sampler = optuna.samplers.TPESampler(
            seed=plan.config.seed + done,
            n_startup_trials=max(4, plan.trials // 4),
            constant_liar=plan.workers > 1,
        )
    if not done and plan.space.coefficients:
        study.enqueue_trial(plan.space.first())
    return study


def _pruner(plan: SearchPlan, pruners: Any) -> Any:
    epochs = plan.config.trainer.epochs
    if plan.pruner == "hyperband":
        return pruners.HyperbandPruner(max_resource=epochs if isinstance(epochs, int) else "auto")
    if plan.pruner == "none":
        return pruners.NopPruner()
    early = epochs // 4 if isinstance(epochs, int) else 5
    return pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=early)
