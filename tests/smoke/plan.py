"""What the smoke layer runs. Options come from the YAML files: a new one is trained without a word here."""

from pathlib import Path

CONF = Path(__file__).parent.parent.parent / "conf"
# Groups whose options are all trained with, several in one run. The others are composed.
TRAINED = (
    "weighting", "model", "loss/term", "augment", "optimizer", "schedule", "metrics", "tracker", "auxiliary",
    "split", "trainer", "sweep", "predict",
)  # fmt: skip
# Options that cannot be trained with here; each is composed all the same.
ELSEWHERE = {
    "model/hub": "needs keras-hub: tests/models/test_hub.py",
    "tracker/mlflow": "needs MLflow: tests/training/test_trackers.py",
}
# Other values of a strategy that is trained with: tests/config/test_yaml_files.py builds them.
PRESETS = {
    f"weighting/{file.stem}": "is trained with as the strategy that it sets"
    for file in (CONF / "weighting").glob("*.yaml")
    if "\ndefaults:\n" in file.read_text()
}
ELSEWHERE |= PRESETS
# What has to be given for an option to be complete.
GIVEN = {
    "dataset": ["dataset.dir=."],
    "dataset/table": ["dataset.table=cases.csv"],
    "dataset/tfds": ["dataset.name=oxford_iiit_pet"],
    "dataset/phantom": [],
    "dataset/oxford_pets": [],
}
TINY = [
    "dataset.count=16", "dataset.size=16", "dataset.image_size=16", "trainer.epochs=2",
    "trainer.batch_size=4", "report=false",
]  # fmt: skip
SMALL = {
    "unet": ["model.filters=2", "model.depth=1", "model.convs=1"],
    "nnunet": ["model.filters=2", "model.depth=1"],
    "resenc": ["model.filters=2", "model.depth=1"],
    "segformer": ["model.filters=4", "model.blocks=1", "model.decoder=4"],
    "deeplabv3plus": ["model.filters=4", "model.blocks=1"],
}
# What a run takes of a group of which every option has had its turn: the quickest to train.
LIGHT = {
    "model": "unet", "loss/term": "dice", "augment": "none", "optimizer": "sgd", "schedule": "constant",
    "metrics": "default", "tracker": "none", "auxiliary": "none", "split": "holdout", "trainer": "default",
    "sweep": "default", "predict": "default",
}  # fmt: skip
# A strategy that adapts only after whole epochs would never do so here.
SOON = {"dwa": ["weighting.steps_per_epoch=1"]}
TERMS = 3  # of a loss, while there are some that were not trained with


def options(group: str) -> list[str]:
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def every_file() -> list[str]:
    """``GROUP/OPTION`` of each YAML file of conf/, but for the root."""
    files = [file.relative_to(CONF).with_suffix("") for file in CONF.rglob("*.yaml")]
    return sorted(file.as_posix() for file in files if len(file.parts) > 1)


def compositions() -> list[list[str]]:
    """A config with each file of conf/ that no training has; tests/config composes each of the others."""
    pairs = (file.rsplit("/", 1) for file in every_file())
    return [_composed(*pair) for pair in pairs if pair[0] not in TRAINED or "/".join(pair) in ELSEWHERE]


def _composed(group: str, option: str) -> list[str]:
    given = GIVEN.get(f"{group}/{option}", GIVEN.get(group, []))
    return ["compose", f"{group}={option}", *given]


def trainings() -> list[list[str]]:
    """One tiny run for each strategy; each option of the other groups has one turn, in the first runs."""
    turns = {group: [o for o in options(group) if f"{group}/{o}" not in ELSEWHERE] for group in TRAINED}
    losses = _losses(turns.pop("loss/term"))
    return [_training(number, turns, losses) for number in range(max(map(len, [losses, *turns.values()])))]


def _losses(terms: list[str]) -> list[set[str]]:
    """Each term once, at a distance of each other: neighbours in the alphabet are often kin."""
    # A term that can be negative is refused by strategies that take logarithms: it is trained with `fixed`.
    terms = [term for term in terms if term != "boundary"]
    runs = -(-len(terms) // TERMS)
    return [set(terms[number::runs]) for number in range(runs)]


def _training(number: int, turns: dict[str, list[str]], losses: list[set[str]]) -> list[str]:
    chosen = {group: found[number] if number < len(found) else LIGHT[group] for group, found in turns.items()}
    model, weighting = chosen["model"], chosen["weighting"]
    loss = losses[number] if number < len(losses) else {LIGHT["loss/term"], "bce"}
    if weighting == "fixed":
        loss = loss | {"boundary"}
    groups = [f"{group}={option}" for group, option in chosen.items()]
    small = [*SMALL.get(model, ["model.filters=2"]), *SOON.get(weighting, [])]
    if "warmup" in _keys(f"weighting/{weighting}"):
        small = [*small, "weighting.warmup=2"]
    return ["train", f"loss={'+'.join(sorted(loss))}", *groups, *small, *TINY, f"run_dir=runs/{number:02d}"]


def _keys(file: str) -> set[str]:
    """The keys of an option, and of those that it builds on."""
    lines = (CONF / f"{file}.yaml").read_text().splitlines()
    found = {line.partition(":")[0] for line in lines if line[:1].isalpha()}
    for line in lines:
        base = line.removeprefix("  - ")
        if line.startswith("  - ") and base != "_self_":
            found |= _keys(f"{file.rpartition('/')[0]}/{base.split()[0]}")
    return found
