"""Where a run begins that extends another one."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

Policy = Literal["continue", "restart"]


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a run begins that extends another one; in its ``status.json`` as ``parent``.

    Args:
        path: of the parent.
        id: of the parent.
        epoch: after which it begins.
        epochs: that the parent was meant to have.
        schedule: ``continue``: the schedule is that of one run of the new length, from where it stands after
            ``epoch``; ``restart``: a new one over the epochs that are added.
    """

    path: str
    id: str
    epoch: int
    epochs: int
    schedule: Policy

    @staticmethod
    def of(status: Mapping[str, Any]) -> "Origin | None":
        """That of a run, from its status."""
        found = status.get("parent")
        return Origin(**found) if isinstance(found, Mapping) else None
