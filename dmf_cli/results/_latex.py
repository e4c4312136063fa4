"""A table in LaTeX, for ``booktabs``."""

from collections.abc import Mapping, Sequence

SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "\n": " ",
}  # fmt: skip


def escape(text: str) -> str:
    """``text`` with every character that LaTeX would take as a command."""
    return "".join(SPECIAL.get(character, character) for character in text)


def table(
    title: str, notes: Sequence[str], columns: Sequence[str], sections: Mapping[str, Sequence[Sequence[str]]]
) -> str:
    """A ``table`` environment; the first column is text, the others are numbers.

    Args:
        title: first sentence of the caption.
        notes: its other sentences.
        columns: headings.
        sections: heading -> rows of cells, separated by rules.
    """
    caption = ". ".join(escape(sentence) for sentence in (title, *notes)) + "."
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{caption}}}",
        f"  \\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
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
