"""Neural architecture search for dynamic inference: one supernet, a big/little pair, a router, one ONNX file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from duonas.core.extras import explain

if TYPE_CHECKING:
    from duonas.api.cascade import cascade
    from duonas.api.compare import compare
    from duonas.api.inspect import inspect
    from duonas.api.rank import rank
    from duonas.api.run import Run, rechoose, run
    from duonas.core.arch import Arch
    from duonas.core.axis import Axis
    from duonas.core.errors import DuonasError
    from duonas.core.pair import PairArch, PairSpace
    from duonas.core.space import SearchSpace
    from duonas.pipeline.profile import profile
    from duonas.ranking.table import RankTable
    from duonas.recipe.read import load as load_recipe
    from duonas.recipe.schema import Recipe
    from duonas.recipe.study import load_study
    from duonas.routing.router import Router
    from duonas.runtime import Bundle, BundleError
    from duonas.supernet.family import Family
    from duonas.supernet.supernet import Supernet

__version__ = "0.1.0"

# Looked up at first use, so that importing duonas loads no torch.
_HOMES = {
    "Arch": "core.arch:Arch",
    "Axis": "core.axis:Axis",
    "Bundle": "runtime:Bundle",
    "BundleError": "runtime:BundleError",
    "DuonasError": "core.errors:DuonasError",
    "Family": "supernet.family:Family",
    "PairArch": "core.pair:PairArch",
    "PairSpace": "core.pair:PairSpace",
    "RankTable": "ranking.table:RankTable",
    "Recipe": "recipe.schema:Recipe",
    "Router": "routing.router:Router",
    "Run": "api.run:Run",
    "SearchSpace": "core.space:SearchSpace",
    "Supernet": "supernet.supernet:Supernet",
    "cascade": "api.cascade:cascade",
    "compare": "api.compare:compare",
    "inspect": "api.inspect:inspect",
    "load_recipe": "recipe.read:load",
    "load_study": "recipe.study:load_study",
    "profile": "pipeline.profile:profile",
    "rank": "api.rank:rank",
    "rechoose": "api.run:rechoose",
    "run": "api.run:run",
}

__all__ = [
    "Arch",
    "Axis",
    "Bundle",
    "BundleError",
    "DuonasError",
    "Family",
    "PairArch",
    "PairSpace",
    "RankTable",
    "Recipe",
    "Router",
    "Run",
    "SearchSpace",
    "Supernet",
    "cascade",
    "compare",
    "inspect",
    "load_recipe",
    "load_study",
    "profile",
    "rank",
    "rechoose",
    "run",
]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'duonas' has no attribute {name!r}")
    module, attribute = _HOMES[name].split(":")
    try:
        home = import_module(f"duonas.{module}")
    except ModuleNotFoundError as error:
        if (sentence := explain(f"duonas.{name}", error)) is None:
            raise
        raise ImportError(sentence, name=error.name) from None
    # Stored under its own name: importing ``duonas.pipeline.compare`` has just put the module of that name there.
    globals()[name] = value = getattr(home, attribute)
    return value
