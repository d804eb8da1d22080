"""The registry of parts: each part is one file in the package of its kind, and is registered nowhere else.

The file defines one concrete subclass of the kind's base class. The part has the name of the file; ``-`` and ``_`` are
interchangeable. A part that the user wrote is named ``path/to/file.py:CLASS``.

Listing reads folders and docstrings without importing any part; ``find`` imports one file.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import import_module
from importlib.resources import files
from inspect import isabstract
from typing import Any, ClassVar, TypeVar

from duonas.core.errors import DuonasError, nearest
from duonas.core.plugin import is_plugin, load_plugin, plugin_hash, plugin_source

NOT_PARTS = ("options",)  # modules in the packages of kinds that do not define a part


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of part.

    Args:
        name: such as ``strategy``.
        package: the package with the files of its parts.
        base: the base class of its parts, as ``module:CLASS``.
        key: the recipe's key for a part of this kind, such as ``[search] strategy``.
        about: one sentence on what such a part does.
        refused: names of parts that do not exist although a user may expect them, each with the reason.
        general: names of parts for any case, which a hint names before those for a special one.
    """

    name: str
    package: str
    base: str
    key: str
    about: str
    refused: Mapping[str, str] = field(default_factory=dict)
    general: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "source", "duonas.data.sources", "duonas.data.source:Source", "[data] name", "Reads a data set.",
            general=("folder", "table"),
        ),
        Kind(
            "augmentation", "duonas.data.augmentations", "duonas.data.augmentation:Augmentation",
            "[data] augmentations", "Varies training images; the shipped ones are switched on by their keys in [data].",
        ),
        Kind(
            "space", "duonas.spaces", "duonas.supernet.family:Family", "[space] name",
            "A search space and the supernet over it.",
        ),
        Kind(
            "weights", "duonas.supernet.weights", "duonas.supernet.arch_weights:ArchWeights", "[space.weights] name",
            "The source of an arch's weights.",
        ),
        Kind(
            "network", "duonas.given.networks", "duonas.given.network:GivenNetwork", "[pair.given]",
            "Where a network that is given comes from.",
        ),
        Kind(
            "rule", "duonas.training.rules", "duonas.training.rule:Rule", "[train] rule",
            "Which subnets a training step trains, and with which losses.",
        ),
        Kind(
            "divergence", "duonas.training.divergences", "duonas.training.divergence:Divergence",
            "[train.divergence] name", "How far a student's prediction is from its teacher's: the distillation loss.",
        ),
        Kind(
            "sampler", "duonas.training.samplers", "duonas.training.sampler:Sampler", "[train.sampler] name",
            "Which archs a training step draws beside the largest and the smallest.",
            {"compound": "CompOFA makes the space itself smaller, search included: set [space] tied = true"},
        ),
        Kind(
            "term", "duonas.training.terms", "duonas.training.term:Term", "[finetune.loss] terms",
            "A term of the loss of a pair that is trained together; the shipped ones are switched on by their keys.",
        ),
        Kind(
            "weighting", "duonas.training.weightings", "duonas.training.weighting:Weighting",
            "[finetune.loss] weighting", "How much each image counts in the label losses of little and of big.",
        ),
        Kind(
            "strategy", "duonas.search.strategies", "duonas.search.strategy:Strategy", "[search] strategy",
            "Proposes pairs and learns from their trials.",
        ),
        Kind(
            "metric", "duonas.search.metrics", "duonas.search.metric:Metric", "[search] objectives",
            "A figure of an arch or of a pair, for objectives and constraints.",
        ),
        Kind(
            "proxy", "duonas.search.proxies", "duonas.search.proxy:Proxy", "[search] objectives",
            "A metric of an untrained network, for objectives, constraints and [search] filter.",
        ),
        Kind(
            "router", "duonas.routing.routers", "duonas.routing.router:Router", "[route] router",
            "Decides which images little answers and which go to big.",
            {"oracle": "it reads the labels, so it cannot be deployed (every run is measured against it)"},
        ),
        Kind(
            "score", "duonas.routing.scores", "duonas.routing.score:Score", "[route] score",
            "Computes little's confidence from its logits.",
        ),
        Kind(
            "baseline", "duonas.baselines.networks", "duonas.baselines.baseline:Baseline", "[baselines] networks",
            "A network to compare the pair with.",
        ),
        Kind(
            "target", "duonas.deploy.targets", "duonas.deploy.target:Target", "[export] targets",
            "What a bundle is deployed on, and the files that it needs there.",
        ),
        Kind(
            "tracker", "duonas.rundir.trackers", "duonas.rundir.tracker:Tracker", "trackers",
            "Shows the figures of training and search while they go on.",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class NoOptions:
    """The options of a part that has none."""


class Part:
    """The base of the base classes of all kinds: a part has a name, and options from the recipe.

    ``Options`` is a frozen dataclass. Each of its fields is followed by a docstring, which is the help of the key.
    """

    name: ClassVar[str]
    Options: ClassVar[type[Any]] = NoOptions

    @classmethod
    def objection(cls) -> str:
        """Why this class cannot be a part of its kind, in words; empty if it can."""
        return ""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "name" not in cls.__dict__:
            module = cls.__module__
            cls.name = f"{module}:{cls.__qualname__}" if module.endswith(".py") else module.rpartition(".")[2]


def names(kind: str) -> list[str]:
    """The sorted names of the shipped parts of a kind, without importing any."""
    folder = _folder(KINDS[kind])
    stems = (path.name.removesuffix(".py") for path in folder.iterdir() if path.name.endswith(".py"))
    return sorted(stem for stem in stems if not stem.startswith("_") and stem not in NOT_PARTS)


def find(kind: str, name: str) -> type[Any]:
    """The class of a part: a shipped part by its name, or the user's own as ``file.py:CLASS``.

    Raises:
        DuonasError: there is no part of that name, or the class is not a part of this kind.
    """
    about = KINDS[kind]
    if is_plugin(name):
        return _checked(about, name, load_plugin(name, about.key))
    return _shipped(about, _stem(kind, name))


def options_of(kind: str, name: str) -> type[Any]:
    """The options class of a part, a frozen dataclass."""
    options: type[Any] = find(kind, name).Options
    return options


def summary(kind: str, name: str) -> str:
    """The first line of the docstring of a part's file, or of its class in a user's own file, without importing it.

    Raises:
        DuonasError: there is no such part.
    """
    path, _, attribute = name.rpartition(":")
    if path:
        text = plugin_source(name).decode("utf-8", "replace")
    else:
        text = (_folder(KINDS[kind]) / f"{_stem(kind, name)}.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == attribute]
    docstring = (ast.get_docstring(classes[0]) if classes else None) or ast.get_docstring(tree) or ""
    return docstring.partition("\n")[0].removesuffix(".")


def source_hash(name: str) -> str | None:
    """The SHA-256 of the file of a user's own part, in hex; ``None`` for a shipped one."""
    return plugin_hash(name) if is_plugin(name) else None


_Options = TypeVar("_Options")


def adapted(options: Any, wanted: type[_Options]) -> _Options:
    """Convert the options of a recipe's table to the options of a part; missing fields get their defaults.

    Args:
        options: the table's options.
        wanted: the part's ``Options`` class.
    """
    if isinstance(options, wanted):
        return options
    known = {field.name for field in fields(wanted)}  # type: ignore[arg-type]
    return wanted(**{field.name: getattr(options, field.name) for field in fields(options) if field.name in known})


def _stem(kind: str, name: str) -> str:
    about, known, stem = KINDS[kind], names(kind), name.replace("-", "_")
    if name in about.refused:
        raise DuonasError(f"{about.key} cannot be {name!r}: {about.refused[name]}; choose from {', '.join(known)}.")
    if stem not in known:
        hint = nearest(name, known)
        own = "" if hint.endswith("?") else ", or your own as file.py:CLASS"
        raise DuonasError(f"{about.key} has no choice {name!r}: {hint}{own}.")
    return stem


def _folder(kind: Kind) -> Any:
    root, *rest = kind.package.split(".")
    return files(root).joinpath(*rest)


@cache
def _shipped(kind: Kind, stem: str) -> type[Any]:
    module, base = import_module(f"{kind.package}.{stem}"), _base(kind)
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, base) and each.__module__ == module.__name__
    ]
    (part,) = (each for each in found if not isabstract(each))
    return part


def _checked(kind: Kind, name: str, found: Any) -> type[Part]:
    base: type[Part] = _base(kind)
    if not (isinstance(found, type) and issubclass(found, base)):
        what = name.rpartition(":")[2]
        raise DuonasError(f"{kind.key} {name}: {what} is not a subclass of {base.__module__}.{base.__name__}.")
    if isabstract(found):
        missing = " and ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise DuonasError(f"{kind.key} {name}: it does not define {missing}.")
    if not getattr(getattr(found.Options, "__dataclass_params__", None), "frozen", False):
        raise DuonasError(f"{kind.key} {name}: its Options must be a frozen dataclass.")
    if objection := found.objection():
        raise DuonasError(f"{kind.key} {name}: {objection}.")
    return found


def _base(kind: Kind) -> type[Any]:
    module, _, attribute = kind.base.partition(":")
    base: type[Any] = getattr(import_module(module), attribute)
    return base
