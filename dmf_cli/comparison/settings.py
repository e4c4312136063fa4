"""What differs between runs: which of them are one setting, repeated, and what that setting is called."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from dmf_cli.comparison.loading import FILE, FOLD, Run
from dmf_cli.comparison.predictions import THRESHOLD, completed
from dmf_cli.config import dataset_schema
from dmf_cli.errors import ConfigError, UnknownNameError

# Keys that say where and what a run is, not how it trains; how it was scored is looked at before (loading).
ASIDE = (
    "run_dir", "output_root", "sweep", "tune", "report", "tracker", "eval", "metrics",
    "trainer.cache", "trainer.keep", "trainer.checkpoint_minutes", "trainer.device", "trainer.devices",
    "trainer.hosts", "trainer.insight_every",
    *(f"dataset.{key}" for key in dataset_schema.places({})),
)  # fmt: skip
TABLE = "dataset.table"  # the path of a CSV file; of folders it is a mapping, whose keys are below it
RECIPE = "recipe"  # a name for keys of several groups
NAMES = {"loss": "loss.expression"}  # of a group; else GROUP.name

Label = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Placed:
    """A run with its place in the comparison.

    Args:
        run: the run.
        setting: what is compared, such as ``(("weighting", "var"),)``.
        seed: of the run, as text. Seeds are what repeats a setting.
        within: what else differs, such as ``(("loss", "dice+bce"),)``: a seed is averaged over it.
    """

    run: Run
    setting: Label
    seed: str
    within: Label

    @property
    def repetition(self) -> Label:
        """The seed, and what else differs."""
        return (("seed", self.seed), *self.within)


def place(runs: Sequence[Run], by: Sequence[str] | None = None) -> list[Placed]:
    """Sort ``runs`` into settings and repetitions.

    Args:
        runs: at least one.
        by: groups or keys that make a setting (``weighting``, ``weighting.window``); what else differs is
            averaged within each seed. None: all that differs but the seed. A recipe stands for the keys that
            it decides.

    Raises:
        ConfigError: a key of ``by`` that does not differ.
    """
    runs = _with_one_file([dataclasses.replace(run, config=completed(run.config)) for run in runs])
    varying = _varying(runs)
    decided = _decided_by_recipe(runs, varying)
    others = [key for key in varying if key not in (decided or [RECIPE])]
    chosen = others if by is None else [key for key in varying if any(_below(key, b) for b in by)]
    for wanted in by or ():
        if wanted == "seed":
            reason = "and seeds repeat a setting, they do not make one"
            raise ConfigError(key="--by", value=wanted, reason=reason, allowed="another key")
        if not any(_below(key, wanted) for key in varying):
            known = sorted({key.split(".")[0] for run in runs for key in run.config} | set(varying))
            if wanted.split(".")[0] not in known:
                raise UnknownNameError("key of --by", wanted, varying or known)
            reason, differs = "which is the same in all runs", ", ".join(varying) or "the seed only"
            raise ConfigError(key="--by", value=wanted, reason=reason, hint=f"what differs is {differs}")
    rest = [key for key in (others if RECIPE in chosen else varying) if key not in (*chosen, RECIPE)]
    return [
        Placed(run, _values(run, chosen), text(run.config.get("seed")), _values(run, rest)) for run in runs
    ]


def _decided_by_recipe(runs: Sequence[Run], varying: Sequence[str]) -> list[str]:
    """The keys that differ because the recipe does; none unless all runs name one."""
    if RECIPE not in varying or any(RECIPE not in run.config for run in runs):
        return []
    alike = [[run for run in runs if run.config[RECIPE] == name] for name in {r.config[RECIPE] for r in runs}]
    return [key for key in varying if key != RECIPE and not any(_differs(same, key) for same in alike)]


def _with_one_file(runs: Sequence[Run]) -> list[Run]:
    """``runs`` in which one division is called by one path, whatever copies of its file they were given."""
    files: dict[str, Any] = {}
    named = []
    for run in runs:
        if run.divided and FILE in run.config:
            file = files.setdefault(run.divided, run.config[FILE])
            run = dataclasses.replace(run, config={**run.config, FILE: file})
        named.append(run)
    return named


def only(runs: Sequence[Run], wanted: Sequence[tuple[str, str]]) -> list[Run]:
    """The runs whose config has every (key, value) of ``wanted``; keys as in ``by``, or whole config keys.

    Raises:
        UnknownNameError: a key that no run has.
        ConfigError: a value that no run has.
    """
    for key, value in wanted:
        there = {text(one) for run in runs if (one := _value(run.config, key)) is not None}
        if not there:
            raise UnknownNameError("key of --only", key, {k for run in runs for k in run.config})
        if value not in there:
            there = {f"{key}={one}" for one in there}
            value = f"{key}={value}"
            raise ConfigError(key="--only", value=value, reason="which no run has", allowed=sorted(there))
        runs = [run for run in runs if text(_value(run.config, key)) == value]
    return list(runs)


def _varying(runs: Sequence[Run]) -> list[str]:
    """What differs, as people write it: ``weighting`` for its name, ``weighting.window`` for a parameter."""
    keys = dict.fromkeys(key for run in runs for key in run.config)
    differing: dict[str, None] = {}
    for key in keys:
        if key in ("seed", FOLD, TABLE) or (key != THRESHOLD and any(_below(key, one) for one in ASIDE)):
            continue
        group = key.split(".")[0]
        name = NAMES.get(group, f"{group}.name")
        if key == name:
            if _differs(runs, key):
                differing[group] = None
        # A parameter of one strategy that another does not have is no difference of its own.
        elif any(_differs(same, key) for same in ([runs] if key == THRESHOLD else _alike(runs, name))):
            differing[key] = None
    return sorted(differing, key=lambda key: (key.count("."), key))


def _alike(runs: Sequence[Run], name: str) -> list[list[Run]]:
    """Runs by their value of the key ``name``."""
    parts: dict[str, list[Run]] = {}
    for run in runs:
        parts.setdefault(text(run.config.get(name)), []).append(run)
    return list(parts.values())


def _differs(runs: Sequence[Run], key: str) -> bool:
    """A key that some runs do not have is no difference; later options they all have, see `loading`."""
    return len({text(run.config[key]) for run in runs if key in run.config}) > 1


def _values(run: Run, keys: Sequence[str]) -> Label:
    # Where masks are Dice-optimal no threshold decides, so there is none to name.
    said = [key for key in keys if key != THRESHOLD or key in run.config]
    return tuple((key, text(_value(run.config, key))) for key in said)


def _value(config: Mapping[str, Any], key: str) -> Any:
    return config.get(key, config.get(NAMES.get(key, f"{key}.name")))


def _below(key: str, prefix: str) -> bool:
    return key == prefix or key.startswith(f"{prefix}.")


def words(label: Label) -> str:
    """The overrides that ``label`` is: ``weighting=var, loss=cbdice+bce``."""
    return ", ".join(f"{key}={value}" for key, value in label)


def text(value: Any) -> str:
    """``value`` as it is written on the command line."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
