"""Defaults of a recipe that follow from other tables: they are filled in before the tables are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duonas.pair.facts import ROLES
from duonas.pair.options import objection, spelled
from duonas.recipe.errors import Mistake
from duonas.recipe.tables import spelled_out
from duonas.supernet.options import SpaceOptions
from duonas.training.options import FinetuneOptions


def with_own_little(pair: Any, space: Any) -> Any:
    """Return ``[pair]`` with the defaults that follow from ``[pair.little]``: its name and the coupling."""
    if not isinstance(pair, Mapping) or "little" not in pair:
        return pair
    little, named = spelled_out(SpaceOptions, pair["little"]), spelled_out(SpaceOptions, space)
    if isinstance(little, Mapping) and isinstance(named, Mapping) and "name" in named:
        little = {"name": named["name"], **little}
    return {"coupling": "independent", **pair, "little": little}


def with_given(pair: Any) -> Any:
    """Return ``[pair]`` with the networks of ``[pair.given]`` as tables, and the coupling that follows from it.

    Raises:
        Mistake: a network's table is wrong.
    """
    if not isinstance(pair, Mapping) or not isinstance(pair.get("given"), Mapping):
        return pair
    given = dict(pair["given"])
    for role in ROLES:
        listed = given.get(role, [])
        listed = list(listed) if isinstance(listed, list | tuple) else [listed]
        given[role] = [spelled(each, role) for each in listed]
        for number, network in enumerate(given[role], 1):
            place = f"[pair.given] {role}" + (f", network {number}" if len(listed) > 1 else "")
            if not isinstance(network, Mapping):
                raise Mistake(f"{place} must be a text or a table, got {network!r}", f"pair.given.{role}")
            if wrong := objection(network):
                raise Mistake(f"{place}: {wrong}", f"pair.given.{role}")
    return {"coupling": "given", **pair, "given": given}


def without_supernet(train: Any) -> bool:
    """Whether ``[train]`` trains no supernet, so that a pair cannot start from one."""
    return isinstance(train, Mapping) and train.get("epochs") == 0


def with_mode(mode: str, options: Any, table: Any) -> Any:
    """Return ``[finetune]`` with another default of its mode."""
    if options == FinetuneOptions():
        return {**table, "mode": mode}
    return {"mode": mode, **table} if isinstance(table, Mapping) else table
