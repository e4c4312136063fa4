"""One thing that a user should know of a dataset, in one line."""

from typing import NamedTuple

# Kind of a finding -> (whether it is an error, what it is called), in the order of reports.
KINDS = {
    "unreadable": (True, "files that cannot be read"),
    "no mask": (True, "images without a mask"),
    "no image": (True, "masks without an image"),
    "size": (True, "masks of another size than their image"),
    "label": (True, "masks with values that no class has"),
    "mask values": (True, "masks that hold more than two classes say"),
    "other": (True, "images that cannot be used"),
    "no lesion": (True, "no mask with a lesion"),
    "contradiction": (True, "one picture in two classes"),
    "leak": (True, "near-duplicates, or images of one group, in different parts of the split"),
    "excluded": (False, "images that cannot be used and are excluded"),
    "copy": (False, "files that are the same, byte for byte"),
    "near-duplicate": (False, "near-duplicates"),
    "empty": (False, "empty masks where others of the class have lesions"),
    "dark": (False, "images that use a small part of the grey range"),
    "turned": (False, "photographs that are turned (EXIF orientation)"),
    "skipped": (False, "image files that are not read"),
    "full": (False, "masks without any background"),
    "soft masks": (False, "masks with soft edges"),
    "doubtful values": (False, "masks whose values may mean something else"),
    "inverted": (False, "masks that may be inverted"),
    "absent class": (False, "classes that no mask has"),
    "nothing ignored": (False, "values of dataset.ignore that no mask holds"),
    "vanishing": (False, "lesions that vanish at the size of the network"),
}


class Finding(NamedTuple):
    """One thing, which `dmf data check` lists; of files and masks `dmf train` says it in its first lines too.

    Args:
        kind: of ``KINDS``.
        where: ids of images, or files.
        text: the line.
    """

    kind: str
    where: tuple[str, ...]
    text: str

    @property
    def is_error(self) -> bool:
        """Whether it makes results wrong for certain; the rest is for a user to look at."""
        return KINDS[self.kind][0]
