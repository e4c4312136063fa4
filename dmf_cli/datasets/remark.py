"""What a user should know of the files of a dataset, in one line."""

from typing import NamedTuple


class Remark(NamedTuple):
    """One thing, which `dmf data check` lists and `dmf train` says in its first lines.

    Args:
        kind: of :data:`dmf_cli.datasets.check.KINDS`.
        where: files, or ids of images.
        text: the line.
    """

    kind: str
    where: tuple[str, ...]
    text: str

    @property
    def certain(self) -> bool:
        """Whether no reading of the masks can be right: an error."""
        return self.kind == "mask values"
