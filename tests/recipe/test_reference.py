"""The page of all recipe keys says what is true now."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from duonas.core.registry import KINDS, find, names
from duonas.recipe.reference import reference
from duonas.recipe.schema import TABLES
from duonas.recipe.tables import options_class

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "recipe.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "python -m duonas.recipe.reference > docs/reference/recipe.md"
    )


def test_every_key_is_on_it_and_explained():
    rows = {line.split("`")[1]: line for line in reference().splitlines() if line.startswith("| `")}
    tables = [options_class(base, {}, name) for name, base in TABLES.items()]
    parts = [find(kind, name).Options for kind in KINDS for name in names(kind)]
    for options in (*tables, *parts):
        for option in fields(options):
            found = [row for key, row in rows.items() if key == option.name or key.startswith(f"{option.name}.")]
            assert found and all(len(row.split("|")[-2].strip()) > 3 for row in found), option.name
