"""The base class of trackers, which show the figures of a run while it goes on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any, ClassVar

from duonas.core.errors import DuonasError
from duonas.core.files import read_object, write_json
from duonas.core.plugin import is_plugin
from duonas.core.registry import Part, find
from duonas.rundir.paths import RunPaths

PROJECT = "duonas"  # that runs are shown in, where the tracker has projects and its own environment names none


class Tracker(Part, ABC):
    """Shows the figures of the steps of a run, beside ``log.jsonl``, which has them all (paper D, section 4.5).

    Args:
        run: the files of the run.
        settings: its recipe as nested dictionaries.

    Attributes:
        package: the Python package that it needs; the extra of this name installs it. Empty without one.
    """

    package: ClassVar[str] = ""

    def __init__(self, run: RunPaths, settings: Mapping[str, Any]) -> None:
        self.run, self.settings = run, settings

    @abstractmethod
    def add(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """Show the figures of a step; nothing is opened before the first one.

        The steps of a stage rise. A killed run goes on from its last checkpoint, so that some steps come once more.
        """

    @abstractmethod
    def close(self) -> None:
        """Send what was not sent yet. More steps may be added afterwards, as by a run that is resumed."""

    def known(self) -> str | None:
        """What the tracker called this run when it began, so that a resumed run goes on under that name."""
        found = read_object(self.run.tracked).get(self.name) if self.run.tracked.exists() else None
        return None if found is None else str(found)

    def remember(self, name: str) -> None:
        """Note what the tracker calls this run."""
        if name != self.known():
            noted = read_object(self.run.tracked) if self.run.tracked.exists() else {}
            write_json(self.run.tracked, {**noted, self.name: name})


def make_trackers(names: Iterable[str], run: RunPaths, settings: Mapping[str, Any]) -> list[Tracker]:
    """Return the trackers of a recipe.

    Args:
        names: the recipe's ``trackers``.
        run: see ``Tracker``.
        settings: see ``Tracker``.

    Raises:
        DuonasError: there is no such tracker.
    """
    return [find("tracker", name)(run, settings) for name in names]


def check_trackers(names: Iterable[str]) -> None:
    """Check before a training that the packages of the trackers of a recipe are there.

    Raises:
        DuonasError: one of them is not installed.
    """
    for name in names:
        package = find("tracker", name).package
        if package and find_spec(package) is None:
            wanted = package if is_plugin(name) else f"'duonas[{package}]'"
            raise DuonasError(
                f"trackers: {name} needs the package {package}, which is not installed: pip install {wanted}."
            )
