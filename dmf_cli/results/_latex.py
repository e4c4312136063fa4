"""A table in LaTeX, for ``booktabs``."""

from collections.abc import Mapping, Sequence

SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "\n": " ",
}  # fmt: skip

WIDE = 22  # characters of a name from which it may wrap


def escape(text: str) -> str:
    """``text`` with every character that LaTeX would take as a command."""
    return "".join(SPECIAL.get(character, character) for character in text)


def table(
    title: str,
    notes: Sequence[str],
    columns: Sequence[str],
    sections: Mapping[str, Sequence[Sequence[str]]],
    *,
    small: bool = False,
) -> str:
    """A ``table`` environment; the first column is text, the others are numbers.

    Args:
        title: first sentence of the caption.
        notes: its other sentences.
        columns: headings.
        sections: heading -> rows of cells, separated by rules.
        small: small type and narrow gaps, for a table of many columns.
    """
    longest = max((len(row[0]) for rows in sections.values() for row in rows), default=0)
    # Long names wrap at their spaces, so that the numbers stay on the page.
    first = r"p{0.24\linewidth}" if small and longest > WIDE else "l"
    caption = ". ".join(escape(sentence) for sentence in (title, *notes)) + "."
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{caption}}}",
        *([r"  \footnotesize\setlength{\tabcolsep}{2.5pt}"] if small else []),
        f"  \\begin{{tabular}}{{{first}{'r' * (len(columns) - 1)}}}",
        r"    \toprule",
        _row(columns),
    ]
    for heading, rows in sections.items():
        lines += [
            r"    \midrule",
            f"    \\multicolumn{{{len(columns)}}}{{l}}{{\\emph{{{escape(heading)}}}}} \\\\",
        ]
        lines += [_row(row) for row in rows]
    return "\n".join([*lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}", ""])


def _row(cells: Sequence[str]) -> str:
    return "    " + " & ".join(escape(cell) for cell in cells) + r" \\"
