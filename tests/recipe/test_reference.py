"""The page of all recipe keys says what is true now."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from duonas.recipe.reference import reference
from duonas.recipe.schema import TABLES, Recipe

PAGE = Path(__file__).parent.parent / "docs" / "recipe.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference(), "python -m duonas.reference > docs/recipe.md"


def test_every_key_is_on_it_and_explained():
    rows = {line.split("`")[1]: line for line in reference().splitlines() if line.startswith("| `")}
    for name, field in Recipe.model_fields.items():
        for option in fields(field.annotation) if name in TABLES else ():
            found = [row for key, row in rows.items() if key == option.name or key.startswith(f"{option.name}.")]
            assert found and all(len(row.split("|")[-2].strip()) > 3 for row in found), option.name
