"""Which networks of an ensemble score which image: those that have not seen it in their training."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmf_cli.errors import ConfigError
from dmf_cli.inference.seen import SEEN
from dmf_cli.inference.selection import Scored

Groups = dict[tuple[int, ...], list[int]]  # members -> the images that they score, none twice


def assign(scored: Sequence[Scored], lost: Sequence[Path] = ()) -> tuple[Groups, dict[str, Any]]:
    """The images of all members, each with those that never saw it; also settings for the summary.

    Of runs of one split these are all of them; of the folds of a split, those that tested on the image. An
    image that all have seen is scored by those that saw it only in the run whose weights they began with, or
    by all, as with ``split=train``; ``seen`` in the settings counts it.

    Args:
        scored: the images of each member, all of one dataset.
        lost: runs that score nothing, because nobody knows what they have seen.

    Raises:
        ConfigError: an image that all have seen, but perhaps one that is lost.
    """
    first = scored[0]
    if len(scored) == 1 and not lost:
        return {(0,): list(first.indices)}, first.settings
    indices = sorted({i for one in scored if one.knows or one is first for i in one.indices})
    parts, own = [one.parts(indices) for one in scored], [one.own_parts(indices) for one in scored]
    everyone = tuple(range(len(scored)))
    groups, seen = defaultdict[tuple[int, ...], list[int]](list), Counter[str]()
    for i in indices:
        new_to = tuple(m for m in everyone if parts[m].get(i) not in SEEN)
        if lost and not new_to:
            raise _only_lost(lost[0])
        # The next best: those that have seen it in the run alone whose weights they began with.
        members = new_to or tuple(m for m in everyone if own[m].get(i) not in SEEN) or everyone
        groups[members].append(i)
        if not new_to:
            seen[min((parts[m][i] for m in members), key=SEEN.index)] += 1
    settings: dict[str, Any] = {"members": sorted({len(members) for members in groups})}
    if any(one.settings.get("seen", ...) is None for one in scored):
        settings["seen"] = None
    elif seen:
        settings["seen"] = {part: seen[part] for part in SEEN}
    return dict(groups), settings


def _only_lost(run: Path) -> ConfigError:
    what = f"no other run scores some of these images, and the split.json of {run} is gone"
    return ConfigError(what, key="RUN", value=run, hint="put it back, or choose another split")
