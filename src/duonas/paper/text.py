"""Tables as Markdown and as LaTeX."""

from __future__ import annotations

import re

from duonas.report.formatting import MINUS, NOTHING, THIN
from duonas.report.table import Table

# LaTeX for the signs that figures are written with, and for those that have a meaning there.
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", MINUS: "$-$", NOTHING: "--", THIN: r"\,",
    "µ": r"\textmu{}", "∞": r"$\infty$", "τ": r"$\tau$", "×": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$",
    "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def markdown(table: Table) -> str:
    """A table in Markdown; columns of words are on the left, others on the right."""
    sides = ["---" if _is_words(table, at) else "---:" for at in range(len(table.head))]
    rows = [table.head, sides, *table.rows]
    return "\n".join("| " + " | ".join(_line(cell) for cell in row) + " |" for row in rows)


def latex(table: Table, caption: str, label: str) -> str:
    r"""A table in LaTeX; it needs ``\usepackage{booktabs}``."""
    sides = "".join("l" if _is_words(table, at) else "r" for at in range(len(table.head)))
    head, *rows = (" & ".join(escaped(cell) for cell in row) + r" \\" for row in (table.head, *table.rows))
    return "\n".join([
        r"\begin{table}[t]", r"  \centering", f"  \\caption{{{escaped(caption)}}}", f"  \\label{{tab:{label}}}",
        f"  \\begin{{tabular}}{{{sides}}}", r"    \toprule", f"    {head}", r"    \midrule",
        *(f"    {row}" for row in rows), r"    \bottomrule", r"  \end{tabular}", r"\end{table}",
    ])  # fmt: skip


def escaped(text: str) -> str:
    """A text as LaTeX prints it."""
    return "".join(LATEX.get(sign, sign) for sign in _line(text, pipe="|"))


def _line(text: str, pipe: str = r"\|") -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("|", pipe)


def _is_words(table: Table, at: int) -> bool:
    return table.classes.get(at) == "words"
