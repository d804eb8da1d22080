"""Tables and paragraphs as plain text."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, RenderableType


def as_text(*parts: RenderableType, width: int) -> str:
    """Return tables and paragraphs as text of lines of at most ``width`` characters, with empty lines between them."""
    file = StringIO()  # and not a notebook's own output, which rich would write to
    console = Console(file=file, width=width, color_system=None, markup=False, force_jupyter=False)
    for number, part in enumerate(parts):
        console.print(*([""] if number else []), part, sep="\n", highlight=False)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())
