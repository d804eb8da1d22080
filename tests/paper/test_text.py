"""Tables as Markdown and LaTeX."""

from __future__ import annotations

from duonas.paper.cells import cell
from duonas.paper.drawing import Drawn
from duonas.paper.element import Element, Part
from duonas.paper.text import escaped, latex, markdown
from duonas.paper.write import write
from duonas.report.table import Table

TABLE = Table(["Variant", "Little (%)"], [["a_b | 100 %", "52.38 ± 0.46"], ["T = 1\n", "–"]], {0: "words"})


def test_markdown_has_its_pipes_and_lines_escaped():
    assert markdown(TABLE).splitlines() == [
        "| Variant | Little (%) |", "| --- | ---: |", r"| a_b \| 100 % | 52.38 ± 0.46 |", "| T = 1  | – |",
    ]  # fmt: skip


def test_latex_has_its_signs_escaped():
    text = latex(TABLE, "50 % & more", "table-1")
    assert r"a\_b | 100 \% & 52.38 $\pm$ 0.46 \\" in text and r"\caption{50 \% \& more}" in text
    assert text.count(r"\\") == 3 and r"\begin{tabular}{lr}" in text and r"\label{tab:table-1}" in text
    assert escaped("−1 {x} ~") == r"$-$1 \{x\} \textasciitilde{}"


def test_a_cell_has_the_mean_of_the_runs_that_have_the_figure():
    assert cell({0: 0.5, 1: None}, "percent") == "50.00"
    assert cell({0: 0.5, 1: 0.7}, "percent") == "60.00 ± 14.14"
    assert cell({0: -0.01, 1: -0.01}, "points") == "−1.00"  # equal runs have no deviation
    assert cell({0: 7.1e5, 1: 7.3e5}, "count") == "720k ± 14.1k"
    assert cell({0: None}, "ms") == cell({}, "text") == "–"
    assert cell({0: "evolution", 1: "evolution"}, "text") == "evolution"


def test_a_caption_ends_as_its_title_does_and_every_line_of_a_note_is_a_comment(tmp_path):
    title, notes = "Is it better?", ("two\nlines", "50 %")
    part = Part("By class", None, (), notes[0], "")
    element = Element("table-1.2", title, "5", notes[1], {}, (part,))
    drawn = Drawn(tables={"": TABLE})
    files = {path.name: path.read_text() for path in write(element, [(part, drawn)], tmp_path).files}
    text = files["table-1.2.tex"]
    assert r"\caption{Is it better? By class.}" in text
    assert [line for line in text.splitlines() if line.startswith("%")] == ["% 50 %", "% two", "% lines"]
    assert text.splitlines()[-1] == "% lines"
