"""All settings of studies as tables, from their recipes (paper D, appendix A)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from duonas.core.errors import DuonasError, nearest
from duonas.paper.drawing import Drawing, Drawn
from duonas.paper.runs import Finished
from duonas.recipe.locations import flat
from duonas.recipe.schema import TABLES, to_tables
from duonas.recipe.study import Study
from duonas.report.formatting import NOTHING, shorten
from duonas.report.table import Table

LETTERS, MOST = 60, 8  # of a value, and variants of a key that are written out
WHERE = ("data.path", "search.device.path")  # what is not of a run but of a machine


@dataclass(frozen=True)
class Settings(Drawing):
    """``kind = "recipes"``: it needs no runs.

    Args:
        tables: of the recipe, such as ``train``, or keys in them, such as ``finetune.loss``.
    """

    tables: tuple[str, ...]

    needs_runs: ClassVar[bool] = False

    def check(self, results: Mapping[str, Finished]) -> None:
        """Check that the recipe has such tables."""
        for name in self.tables:
            first = name.partition(".")[0]
            if first not in (*TABLES, "seed", "threads"):
                raise DuonasError(f"a recipe has no table {first!r}: {nearest(first, TABLES)}.")

    def draw(self, results: Mapping[str, Finished]) -> Drawn:
        """A row for each key and a column for each study."""
        columns = {name: settings(found.study) for name, found in results.items()}
        keys = [key for key in dict.fromkeys(key for each in columns.values() for key in each) if self._is_wanted(key)]
        rows = [[key, *(each.get(key, NOTHING) for each in columns.values())] for key in keys]
        seeds = ", ".join(f"{name}: {', '.join(map(str, found.study.seeds))}" for name, found in results.items())
        words = dict.fromkeys(range(len(columns) + 1), "words")
        return Drawn(tables={"": Table(["Key", *columns], rows, words)}, notes=[f"Seeds: {seeds}."], values=columns)

    def _is_wanted(self, key: str) -> bool:
        return key not in WHERE and any(f"{key}.".startswith(f"{name}.") for name in self.tables)


def settings(study: Study) -> dict[str, str]:
    """The value of each key; where variants differ, that of most, and then that of each other one by its name."""
    recipes = {variant.name: dict(flat(to_tables(variant.recipe(study.seeds[0])))) for variant in study.variants}
    keys = dict.fromkeys(key for recipe in recipes.values() for key in recipe)
    return {key: _value({name: recipe[key] for name, recipe in recipes.items() if key in recipe}) for key in keys}


def _value(by_variant: Mapping[str, Any]) -> str:
    texts = {name: _text(value) for name, value in by_variant.items()}
    common = max(dict.fromkeys(texts.values()), key=list(texts.values()).count)
    others = [f"{name}: {text}" for name, text in texts.items() if text != common]
    more = f"; and {len(others) - MOST} more" if len(others) > MOST else ""
    return "; ".join([common, *others[:MOST]]) + more


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return shorten(", ".join(map(_text, value)), LETTERS) or NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shorten(f"{value:g}" if isinstance(value, float) else str(value), LETTERS) or NOTHING
