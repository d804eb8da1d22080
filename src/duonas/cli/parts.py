"""``duonas list``: the parts of the registry and the shipped recipes, as tables for rich."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from duonas.core.errors import DuonasError, nearest
from duonas.core.plugin import is_plugin
from duonas.core.registry import KINDS, Part, find, names, summary

RECIPE = "recipe"


def parts_table(kind: str | None = None) -> Table:
    """Return a table of all parts, or of one kind, without importing more than the metrics, which have several names.

    Raises:
        DuonasError: there is no such kind.
    """
    table = Table("kind", "name", "what it is", box=None, header_style="bold", pad_edge=False)
    for each in (RECIPE, *KINDS) if kind is None else (_known(kind),):
        rows = list(_rows(each))
        if table.rows and rows:
            table.add_row()
        for number, (name, line) in enumerate(rows):
            table.add_row("" if number else each, f"[cyan]{escape(name)}[/cyan]", escape(line))
    return table


def describe_part(kind: str, name: str) -> Group:
    """Return the description of a part and its keys in a recipe.

    Raises:
        DuonasError: there is no such kind or part.
    """
    if _known(kind) == RECIPE:
        raise DuonasError(f"a recipe is not a part with options: `duonas profile {name}` describes it.")
    from duonas.recipe.keys import keys

    name = _stem(kind, name)
    found: type[Part] = find(kind, name)
    table = Table("key", "value", "default", "", box=None, header_style="bold", pad_edge=False)
    for key in keys(found.Options, besides=_shared(found)):
        value, default = (text.replace("`", "") for text in (key.value, key.default))
        table.add_row(f"[cyan]{escape(key.name)}[/cyan]", escape(value), escape(default), escape(key.help))
    used = _usable(kind, name)
    about = escape(f"{summary(kind, name)}.") + (f"\nNames: {', '.join(used)}." if len(used) > 1 else "")
    where = KINDS[kind].key
    return Group(about, "", table) if table.rows else Group(about, "", escape(f"It has no keys besides {where}."))


def _rows(kind: str) -> Iterator[tuple[str, str]]:
    if kind == RECIPE:
        from duonas.recipe.read import headline, shipped

        yield from ((name, headline(name)) for name in shipped())
    else:
        yield from ((", ".join(_usable(kind, name)), summary(kind, name)) for name in names(kind))


def _usable(kind: str, name: str) -> tuple[str, ...]:
    """Return the names by which a recipe can name a part; only a metric's file can define several."""
    if kind != "metric" or is_plugin(name):
        return (name,)
    family: tuple[str, ...] = find(kind, name).family
    return family or (name,)


def _stem(kind: str, name: str) -> str:
    """Return the name of the file of a part that a recipe names.

    Raises:
        DuonasError: there is no such metric.
    """
    if kind != "metric" or is_plugin(name):
        return name
    known = {each: stem for stem in names(kind) for each in _usable(kind, stem)}
    if name not in known:
        raise DuonasError(f"there is no metric {name!r}: {nearest(name, known)}, or your own as file.py:CLASS.")
    return known[name]


def _shared(part: type[Part]) -> type | None:
    """Return the options that all parts of a kind have in common, if any."""
    base = next(each for each in reversed(part.__mro__) if issubclass(each, Part) and each is not Part)
    return base.Options if base.Options is not part.Options else None


def _known(kind: str) -> str:
    if kind not in (RECIPE, *KINDS):
        raise DuonasError(f"there is no kind of part {kind!r}: {nearest(kind, (RECIPE, *KINDS))}.")
    return kind
