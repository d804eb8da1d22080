"""The recipe of a pair of networks that the user has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.recipe.read import load, quoted
from duonas.recipe.schema import Recipe

NAME = "cascade"  # of the shipped recipe
Network = str | PathLike[str] | Mapping[str, Any]


def cascade(
    little: Network | Sequence[Network],
    big: Network | Sequence[Network],
    images: str | Path | None = None,
    overrides: Iterable[str] = (),
    note: Callable[[str], object] = lambda sentence: None,
) -> Recipe:
    """Return the shipped recipe ``cascade`` with these networks and images.

    Args:
        little: a network, or several to choose from: an ONNX file, ``timm:NAME@WEIGHTS``, ``file.py:NAME``, the folder
            of a run, or a table of what is not stored in it, such as ``{"file": "big.onnx", "size": 224}``.
        big: likewise.
        images: a folder with a subfolder of images per class, or a table.
        overrides: as in ``load``.
        note: as in ``load``.

    Raises:
        DuonasError: a network is of another type, or a key is wrong.
    """
    given = [f"pair.given.{role}={_inline(_listed(role, each))}" for role, each in (("little", little), ("big", big))]
    return load(NAME, [*given, *overrides], images=images, note=note)


def networks(little: Sequence[str], big: Sequence[str]) -> list[str]:
    """The overrides that stand for networks given as texts."""
    return [f"pair.given.{role}={_inline(list(each))}" for role, each in (("little", little), ("big", big))]


def _listed(role: str, given: Any) -> list[Any]:
    every = list(given) if isinstance(given, list | tuple) else [given]
    for each in every:
        if not isinstance(each, str | PathLike | Mapping):
            raise DuonasError(
                f"{role} must be a file, timm:NAME, file.py:NAME, a run or a table of keys, got {type(each).__name__}: "
                "a recipe names a module as file.py:NAME."
            )
    return [fspath(each) if isinstance(each, PathLike) else each for each in every]


def _inline(value: Any) -> str:
    """A value in TOML, in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_inline(each)}" for key, each in value.items() if each is not None) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return quoted(str(value))
