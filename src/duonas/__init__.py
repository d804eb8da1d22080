"""Neural architecture search for dynamic inference: one supernet, a big/little pair, a router, one ONNX file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duonas.compare import compare
    from duonas.core.arch import Arch
    from duonas.core.errors import DuonasError
    from duonas.core.pair import PairArch, PairSpace
    from duonas.core.space import Axis, SearchSpace
    from duonas.deploy.runtime import Bundle
    from duonas.pipeline import profile, rechoose, run
    from duonas.ranking import rank
    from duonas.recipe import Recipe
    from duonas.recipe import load as load_recipe
    from duonas.routing.router import Router
    from duonas.spaces.supernet import Family, Supernet
    from duonas.study import load_study

__version__ = "0.1.0"

# Looked up at first use, so that importing duonas loads no torch.
_HOMES = {
    "Arch": "core.arch:Arch",
    "Axis": "core.space:Axis",
    "Bundle": "deploy.runtime:Bundle",
    "DuonasError": "core.errors:DuonasError",
    "Family": "spaces.supernet:Family",
    "PairArch": "core.pair:PairArch",
    "PairSpace": "core.pair:PairSpace",
    "Recipe": "recipe:Recipe",
    "Router": "routing.router:Router",
    "SearchSpace": "core.space:SearchSpace",
    "Supernet": "spaces.supernet:Supernet",
    "compare": "compare:compare",
    "load_recipe": "recipe:load",
    "load_study": "study:load_study",
    "profile": "pipeline:profile",
    "rank": "ranking:rank",
    "rechoose": "pipeline:rechoose",
    "run": "pipeline:run",
}

__all__ = [
    "Arch",
    "Axis",
    "Bundle",
    "DuonasError",
    "Family",
    "PairArch",
    "PairSpace",
    "Recipe",
    "Router",
    "SearchSpace",
    "Supernet",
    "compare",
    "load_recipe",
    "load_study",
    "profile",
    "rank",
    "rechoose",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'duonas' has no attribute {name!r}")
    module, attribute = _HOMES[name].split(":")
    # Kept under its own name: importing ``duonas.compare`` has just put the module of that name there.
    globals()[name] = value = getattr(import_module(f"duonas.{module}"), attribute)
    return value
