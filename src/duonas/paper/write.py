"""Writes what was drawn: Markdown, LaTeX, JSON and a page, and pictures where they can be made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from duonas.core.files import write_json, write_text
from duonas.paper.drawing import Drawn
from duonas.paper.element import Element, Part
from duonas.paper.text import escaped, latex, markdown
from duonas.report.export import MISSING, save_figures
from duonas.report.figure import Drawing, Figure
from duonas.report.page import render_page

Shown = Sequence[tuple[Part, Drawn]]


@dataclass(frozen=True)
class Written:
    """The files of a table or figure, and what is to be said of them."""

    files: tuple[Path, ...]
    said: str = ""


def write(element: Element, shown: Shown, folder: Path) -> Written:
    """Write ``NAME.md``, ``NAME.tex``, ``NAME.json`` and ``NAME.html``, and each figure as SVG and PNG.

    Args:
        element: the table or figure.
        shown: its parts as they are drawn.
        folder: where the files go.
    """
    figures = _figures(element, shown)
    pictures, said = [], ""
    if figures and find_spec("vl_convert") is None:
        said = f"{MISSING} The charts are in {folder / f'{element.name}.html'}, and their figures in the JSON file."
    elif figures:
        pictures = save_figures(figures, folder)
    drawn = {path.stem for path in pictures}
    files = [
        write_text(folder / f"{element.name}.md", "\n\n".join(_markdown(element, shown, drawn)) + "\n"),
        write_text(folder / f"{element.name}.tex", "\n\n".join(_latex(element, shown, drawn)) + "\n"),
        write_json(folder / f"{element.name}.json", _json(element, shown)),
        write_text(folder / f"{element.name}.html", page(element, shown)),
    ]
    return Written((*files, *pictures), said)


def page(element: Element, shown: Shown) -> str:
    """One page that works offline."""
    return render_page("paper.html.j2", element.name, element=element, shown=shown)


def _figures(element: Element, shown: Shown) -> dict[str, Figure | Drawing]:
    return {_stem(element, number, name): figure
            for number, (_, drawn) in enumerate(shown, 1) for name, figure in drawn.figures.items()}  # fmt: skip


def _stem(element: Element, number: int, name: str) -> str:
    part = f"-{number}" if len(element.parts) > 1 else ""
    return f"{element.name}{part}{f'-{name}' if name else ''}"


def _pictures(stem: str, figure: Figure | Drawing, drawn: set[str]) -> list[str]:
    """The names of the pictures of a figure, which may be of several charts."""
    count = len(figure.charts) if isinstance(figure, Figure) else 1
    names = [stem] if count == 1 else [f"{stem}-{number}" for number in range(1, count + 1)]
    return [name for name in names if name in drawn]


def _markdown(element: Element, shown: Shown, drawn: set[str]) -> Iterator[str]:
    section = f" (section {element.section})" if element.section else ""
    yield f"# {element.name}: {element.title}{section}"
    if element.note:
        yield element.note
    for number, (part, each) in enumerate(shown, 1):
        if part.title:
            yield f"## {part.title}"
        for title, table in each.tables.items():
            yield from [f"### {title}"] if title else []
            yield markdown(table)
        for name, figure in each.figures.items():
            for picture in _pictures(_stem(element, number, name), figure, drawn):
                yield f"![{figure.title}]({picture}.svg)"
            yield figure.caption
            if isinstance(figure, Figure):
                yield markdown(figure.table)
        if any(group.examples for group in each.images):
            yield f"The images are in [{element.name}.html]({element.name}.html)."
        yield from _sentences(part, each)


def _latex(element: Element, shown: Shown, drawn: set[str]) -> Iterator[str]:
    if element.note:
        yield _comment(element.note)
    for number, (part, each) in enumerate(shown, 1):
        for at, (title, table) in enumerate(each.tables.items(), 1):
            caption = " ".join(map(_sentence, filter(None, [element.title, part.title, title])))
            yield latex(table, caption, _label(_stem(element, number, str(at) if len(each.tables) > 1 else "")))
        for name, figure in each.figures.items():
            stem = _stem(element, number, name)
            pictures = _pictures(stem, figure, drawn)
            lines = [f"  \\includegraphics[width=\\linewidth]{{{picture}.png}}" for picture in pictures]
            caption = f"  \\caption{{{escaped(figure.caption)}}}"
            yield "\n".join([r"\begin{figure}[t]", r"  \centering", *lines, caption, f"  \\label{{fig:{_label(stem)}}}",
                             r"\end{figure}"])  # fmt: skip
        yield from map(_comment, _sentences(part, each))


def _sentence(title: str) -> str:
    return title if title.endswith((".", "?", "!")) else f"{title}."


def _comment(text: str) -> str:
    """A text as a comment of LaTeX, each of its lines."""
    return "\n".join(f"% {line}" for line in text.splitlines())


def _label(stem: str) -> str:
    return stem.replace("_", "-")


def _sentences(part: Part, drawn: Drawn) -> list[str]:
    return list(filter(None, [f"Missing: {part.missing}" if part.missing else "", part.note, *drawn.notes]))


def _json(element: Element, shown: Shown) -> dict[str, Any]:
    return {
        "name": element.name, "title": element.title, "section": element.section,
        "parts": [
            {
                "title": part.title, "missing": part.missing, "values": drawn.values, "notes": list(drawn.notes),
                "tables": {title: {"head": list(table.head), "rows": [list(row) for row in table.rows]}
                           for title, table in drawn.tables.items()},
                "charts": {name: list(figure.charts) for name, figure in drawn.figures.items()
                           if isinstance(figure, Figure)},
            }
            for part, drawn in shown
        ],
    }  # fmt: skip
