"""Every colour of figures, pictures and pages, in one place.

Lines and bars have those of Okabe & Ito, Color Universal Design (2008), without yellow: every kind of colour
vision distinguishes them. Outlines lie on grey images, so they are the bright ones. Where there are
several classes the colour says the class, and must not be taken for truth or prediction: none of ``CLASSES``
is near either.
"""

from collections.abc import Sequence

Rgb = tuple[int, int, int]

SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SERIES_DARK = ("#5AB4F0", "#F58F4F", "#35CFA3", "#E7A3CC", "#F7BE4F", "#A5D9F7", "#E6E9EC")  # dark page
DASHES = ("solid", "dashed", "dotted", "dashdot")  # one word for both libraries
BAND = 0.15  # opacity of a band around a line
NEUTRAL = "#595959"  # what has no colour of its own
TRUTH, PREDICTION = "#56B4E9", "#E69F00"  # blue and orange
CLASSES = ("#F0E442", "#CC79A7", "#009E73", "#8A4FFF", "#E8384F", "#9BE564")  # over and over for more


def line(number: int, *, dark: bool = False) -> tuple[str, str]:
    """Colour and dashes of the line ``number``: colours first, then dashes; 28 lines can be distinguished.

    Args:
        number: from 0 on.
        dark: on a dark page: the same hues, brighter.
    """
    colours = SERIES_DARK if dark else SERIES
    return colours[number % len(colours)], DASHES[number // len(colours) % len(DASHES)]


def mark(number: int | None) -> str:
    """The colour of dots and bars: that of the line ``number``, or grey for None."""
    return NEUTRAL if number is None else line(number)[0]


def of_class(label: int) -> str:
    """The colour of the class ``label``, from 1 on, where there are several.

    Example:
        >>> of_class(1) == of_class(1 + len(CLASSES)) == CLASSES[0]
        True
    """
    return CLASSES[(label - 1) % len(CLASSES)]


def outlines(classes: int, alone: str) -> tuple[str, ...]:
    """Colours of the classes 1, 2, ...: those of the classes, or ``alone`` where there is only one.

    Args:
        classes: background included.
        alone: ``TRUTH`` or ``PREDICTION``.
    """
    return (alone,) if classes <= 2 else tuple(of_class(label) for label in range(1, classes))


def legend(names: Sequence[str]) -> list[tuple[str, str]]:
    """(class, colour) of each class above the background where there are several; else nothing.

    Args:
        names: of the classes, background first.
    """
    return (
        [(name, of_class(label)) for label, name in enumerate(names[1:], start=1)] if len(names) > 2 else []
    )


def rgb(colour: str) -> Rgb:
    """``#E69F00`` as three numbers from 0 to 255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
