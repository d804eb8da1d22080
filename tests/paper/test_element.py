"""Files of tables and figures: what they name, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from duonas.core.errors import DuonasError
from duonas.paper.element import elements_of, load_element

ROOT = Path(__file__).parents[2]
HEAD = 'kind = "table"\nstudies = { a = "studies/a.toml" }\n'
COLUMN = 'columns = [{ title = "x", figure = "measure.ece" }]'


def test_tables_come_before_figures_and_2_before_10(tmp_path):
    names = ["figure-1", "appendix-a", "table-10", "table-2", "mine"]
    for name in names:
        (tmp_path / f"{name}.toml").touch()
    assert [path.stem for path in elements_of(tmp_path)] == ["table-2", "table-10", "figure-1", "appendix-a", "mine"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + COLUMN + "\nrow = 3", "has no key 'row': did you mean 'rows'"),
        (HEAD, "columns is missing"),
        (HEAD + 'columns = [{ titel = "x" }]', "number 1 of its columns has no key 'titel': did you mean 'title'"),
        (HEAD + 'columns = [{ title = "x", figure = "e", kind = "percents" }]', "columns.0.kind cannot be 'percents'"),
        (HEAD + 'columns = [{ title = "x", figure = "ece", budget = "3M" }]', "columns.0.budget cannot be '3M'"),
        (HEAD.replace("table", "tabel") + COLUMN, "no kind of drawing 'tabel': did you mean 'table'"),
        ("parts = 3", r"parts must be tables, each headed by \[\[parts\]\]"),
        ('[studies]\na = 3\n[[parts]]\nmissing = "all"', r"\[studies\] must name files"),
        ('[studies]\na = "a.toml"\n[[parts]]\nkind = "table"\nstudies = ["b"]', "there is no study 'b' in its"),
        ('[studies]\na = "x/a.toml"\nb = "y/a.toml"\n[[parts]]\nmissing = "all"', "one file name"),
        ("title = 3\n[[parts]]", "title must be text"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(tmp_path, text, message):
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(DuonasError, match=message):
        load_element(tmp_path / "t.toml")


@pytest.mark.parametrize("path", elements_of(ROOT / "benchmarks" / "paper-d"), ids=lambda path: path.stem)
def test_what_the_repository_has_can_be_read(path):
    element = load_element(path)
    assert element.section and all(file.is_file() for file in element.files.values())
    assert all(part.drawing is not None or part.missing for part in element.parts)
