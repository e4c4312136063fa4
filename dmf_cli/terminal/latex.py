"""A table in LaTeX, for ``booktabs``, as papers print it."""

import re
from collections.abc import Mapping, Sequence

from dmf_cli.escapes import visible, visible_lines

SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "\n": " ",
}  # fmt: skip
# Where a name may break: behind these.
JOINTS = {"=": r"=\allowbreak{}", "+": r"+\allowbreak{}", ":": r":\allowbreak{}", "/": r"/\allowbreak{}"}
_MINUS = re.compile(r"(?<!\w)-(?=[\d.])")
CHARACTER, GAP = 4.6, 6.0  # points: of \footnotesize on average, and between two columns
COLUMN, PAGE = 224.0, 455.0  # points that a table may take in a two-column article


def escape(text: str) -> str:
    """``text`` with every character that LaTeX would take as a command."""
    return "".join(SPECIAL.get(character, character) for character in visible_lines(text))


def table(
    caption: str,
    columns: Sequence[str],
    sections: Mapping[str, Sequence[Sequence[str]]],
    *,
    label: str,
    comments: Sequence[str] = (),
) -> str:
    """A ``table`` environment, or ``table*`` where it is wider than a column of two.

    Args:
        caption: one or two lines.
        columns: headings; the first column is text, the others are numbers.
        sections: heading -> rows of cells, separated by rules; without a heading for the empty one.
        label: for ``\\ref``.
        comments: what does not belong in a paper's caption, for whoever sets the table.
    """
    rows = [row for part in sections.values() for row in part]
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    numbers = sum(width * CHARACTER + GAP for width in widths[1:])
    wide = numbers + widths[0] * CHARACTER > COLUMN
    room = (PAGE if wide else COLUMN) - numbers
    # A name that is too long for its page wraps at its joints, so that the numbers stay on it.
    wraps = widths[0] * CHARACTER > room
    first = f"p{{{max(room, 40.0):.0f}pt}}" if wraps else "l"
    environment = "table*" if wide else "table"
    lines = [
        *(f"% {visible(' '.join(line.split()))}" for line in comments),
        r"% \usepackage{booktabs}",
        f"\\begin{{{environment}}}",
        r"  \centering",
        f"  \\caption{{{escape(caption)}}}",
        f"  \\label{{{label}}}",
        r"  \vspace{4pt}\footnotesize\setlength{\tabcolsep}{3pt}",
        f"  \\begin{{tabular}}{{@{{}}{first}{'r' * (len(columns) - 1)}@{{}}}}",
        r"    \toprule",
        _row(columns),
    ]
    for heading, part in sections.items():
        lines.append(r"    \midrule")
        if heading:
            lines.append(f"    \\multicolumn{{{len(columns)}}}{{@{{}}l}}{{\\emph{{{escape(heading)}}}}} \\\\")
        lines += [_row(row, wraps=wraps) for row in part]
    return "\n".join([*lines, r"    \bottomrule", r"  \end{tabular}", f"\\end{{{environment}}}", ""])


def _row(cells: Sequence[str], *, wraps: bool = False) -> str:
    """``first & second \\\\``; the lines of a wrapped name are not stretched."""
    name = escape(cells[0])
    if wraps:
        name = r"\raggedright{}" + "".join(JOINTS.get(character, character) for character in name)
    numbers = [_MINUS.sub("$-$", escape(cell)) for cell in cells[1:]]
    return "    " + " & ".join([name, *numbers]) + r" \\"
