"""A choice in words: the reason of each thing that was decided, and the overrides."""

import math
from collections.abc import Sequence

from dmf_cli.planning.fingerprint import Fingerprint
from dmf_cli.planning.settings import (
    ENCODER,
    ENOUGH,
    MOST,
    NNUNET,
    SIZES,
    SMALL_LESION,
    STANDARD,
    STRONG,
    Chosen,
    Limits,
    Setting,
)

PRETRAINED = (
    "weights for ImageNet: better at equal cost on small medical data "
    "(after three epochs of BUSI .63 Dice, from scratch .37)"
)


def reasons(choice: Chosen, facts: Fingerprint, limits: Limits) -> list[tuple[str, str, str]]:
    """(what, value, why) of each thing that was decided and not given by the user."""
    setting, rows = choice.setting, list[tuple[str, str, str]]()
    if limits.recipe is None:
        rows.append(("recipe", str(setting.recipe), _why_recipe(setting)))
    if setting.encoder:
        rows.append(("model", ENCODER, PRETRAINED))
    if limits.size is None:
        rows.append(("image size", str(setting.size), _why_size(setting, facts)))
    if setting.encoder:
        rows.append(("filters", str(setting.filters), "of the decoder, for about the cost of the default"))
    elif setting.filters and limits.filters is None:
        enough = choice.epochs >= ENOUGH[setting.kind][0]
        why = "the widest network that leaves enough epochs" if enough else "a narrow network: time is short"
        rows.append(("filters", str(setting.filters), why))
    if setting.filters and setting.size and not setting.encoder:
        side = limits.patch or setting.size
        depth = int(math.log2(max(side, 8) / 8))
        rows.append(("depth", "auto", f"{depth} poolings, down to {side // 2**depth} pixels"))
    if limits.batch is None:
        rows.append(
            ("batch size", str(setting.batch), f"{choice.steps} steps an epoch of {facts.train} images")
        )
    if limits.epochs is None:
        total = choice.epochs * choice.steps
        rows.append(
            (
                "epochs",
                str(choice.epochs),
                f"{total} steps; what the budget allows, {MOST[setting.kind]} at most",
            )
        )
    return rows


def _why_size(setting: Setting, facts: Fingerprint) -> str:
    """By the lesions and the images; a size below what small lesions need is the price of little time."""
    size, said = setting.size or 0, []
    if facts.small:
        said.append(f"a small lesion is {size * facts.small:.0f} pixels wide")
    if size * facts.small < SMALL_LESION and size < min(facts.side, SIZES[-1]):
        said.append("which is little, but time is short")
    if size >= facts.side:
        said.append("no larger than the images" if size == facts.side else "the least for this network")
    return ", ".join(said) or "the usual size"


def _why_recipe(setting: Setting) -> str:
    if setting.recipe == NNUNET:
        return f"a GPU is visible, and there is time for {ENOUGH[NNUNET][0]} epochs; no Dice is measured here"
    if setting.recipe in (STANDARD, STRONG):
        return f"there is time for {ENOUGH[setting.recipe][0]} epochs, which strong augmentation needs to pay"
    return "too little time for strong augmentation to pay"


def resize_for(facts: Fingerprint) -> tuple[str, str]:
    """How images are brought to a square, and why."""
    low, high = facts.aspect
    if high > 1.5 * low:
        return (
            "letterbox",
            f"width / height goes from {low:.2f} to {high:.2f}: stretching would bend shapes unlike",
        )
    return "stretch", f"all images have about one shape (width / height {low:.2f} to {high:.2f})"


def words(choice: Chosen, limits: Limits, recipes: Sequence[str], resize: str | None) -> list[str]:
    """The overrides of the plan.

    Args:
        choice: what was decided.
        limits: what the user has chosen is no word of the plan.
        recipes: options of the group ``recipe``; none: the groups that a recipe sets are named.
        resize: of the dataset; None: as the user says.
    """
    found = setting_words(choice.setting, limits, recipes)
    if resize:
        found.append(f"dataset.resize={resize}")
    return [*found, *([] if limits.epochs else [f"trainer.epochs={choice.epochs}"])]


def setting_words(setting: Setting, limits: Limits, recipes: Sequence[str]) -> list[str]:
    """The overrides of a setting, of what the user has not chosen."""
    found = []
    if limits.recipe is None and setting.recipe:
        plain = {STANDARD: ["augment=strong", "optimizer=adamw"]}
        named = setting.recipe in recipes
        found += [f"recipe={setting.recipe}"] if named else plain.get(setting.recipe, [])
    if limits.size is None:
        found.append(f"dataset.image_size={setting.size}")
    if setting.encoder and setting.recipe != STRONG:  # which has it
        found += [f"model={ENCODER}", f"model.filters={setting.filters}"]
    elif limits.filters is None and setting.filters and not setting.encoder:
        found.append(f"model.filters={setting.filters}")
    if limits.batch is None:
        found.append(f"trainer.batch_size={setting.batch}")
    return found
