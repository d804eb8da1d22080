"""The base class of targets: what a bundle is deployed on, and what it needs there beside ``dynamic.onnx``."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from duonas.core.errors import DuonasError
from duonas.core.registry import Part, find
from duonas.deploy.export import Parts
from duonas.deploy.options import ExportOptions
from duonas.pair.pair import Pair
from duonas.routing.policy import Policy
from duonas.runtime.engine import Engine

NOT_FOUND = "a target must name its engine, a subclass of duonas.runtime.engine.Engine"


@dataclass(frozen=True)
class Job:
    """A pair that is being exported.

    Args:
        parts: its graphs.
        pair: its networks.
        policy: its router and threshold.
        options: the ``[export]`` table.
    """

    parts: Parts
    pair: Pair
    policy: Policy
    options: ExportOptions


class Target(Part, ABC):
    """A runtime that a bundle is deployed on; the base of all targets.

    ``engine`` runs a bundle there, ``Bundle.load(folder, engine=...)``, and is held by ``TargetContract`` to the
    decisions of ONNX Runtime. ``tested`` says where that contract was run, and ``untested``, where it was not, why.
    ``of_modules``: its files are made of PyTorch modules, which ONNX graphs are not.
    """

    engine: ClassVar[type[Engine]]
    tested: ClassVar[str] = "in every run of the tests"
    untested: ClassVar[str] = ""
    of_modules: ClassVar[bool] = False

    @classmethod
    def objection(cls) -> str:
        """Return what is wrong with ``engine``; empty where nothing is."""
        engine = getattr(cls, "engine", None)
        return "" if isinstance(engine, type) and issubclass(engine, Engine) else NOT_FOUND

    @classmethod
    def cannot_export(cls) -> str:
        """Why its files cannot be made on this machine, in words; empty if they can."""
        return ""

    def files(self, job: Job) -> dict[str, bytes]:
        """Return the files that it needs beside those of every bundle, by name.

        Raises:
            DuonasError: this pair cannot be deployed there.
        """
        return {}


def check_targets(names: Sequence[str], *, graphs: bool = False) -> list[type[Target]]:
    """Return the targets of ``[export] targets``.

    Args:
        names: of the targets.
        graphs: whether the pair is of ONNX graphs, since its networks were given or are in fp16 or int8.

    Raises:
        DuonasError: there is no such target, or its files cannot be made on this machine, or of graphs.
    """
    found: list[type[Target]] = [find("target", name) for name in names]
    for target in found:
        if graphs and target.of_modules:
            raise DuonasError(
                f"[export] targets: the files of {target.name!r} are made of PyTorch modules, and networks that are "
                "given, or are in fp16 or int8, are ONNX graphs."
            )
        if reason := target.cannot_export():
            raise DuonasError(f"[export] targets: {target.name!r} cannot be exported here: {reason}.")
    return found


def target_files(job: Job) -> dict[str, bytes]:
    """Return the files that the targets of ``[export]`` need beside those of every bundle, by name."""
    return {
        name: content for target in check_targets(job.options.targets) for name, content in target().files(job).items()
    }
