"""An arch: one choice for every axis of a search space."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from duonas.core.errors import DuonasError


@dataclass(frozen=True, order=True)
class Arch:
    """One choice for every active axis, as indices into the axes' values.

    Archs are hashable and sortable. An arch has the name of its search space, not the space itself.
    """

    space: str
    choices: tuple[tuple[str, int], ...]

    @cached_property
    def _index(self) -> dict[str, int]:
        return dict(self.choices)

    @cached_property
    def id(self) -> str:
        """Eight hex digits that identify this arch in files and logs."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()[:8]

    def __getitem__(self, axis: str) -> int:
        """The index chosen on ``axis``; ``KeyError`` if that axis is inactive."""
        return self._index[axis]

    def get(self, axis: str, default: int) -> int:
        """The index chosen on ``axis``, or ``default`` if that axis is inactive."""
        return self._index.get(axis, default)

    def __contains__(self, axis: object) -> bool:
        return axis in self._index

    def to_json(self) -> dict[str, Any]:
        """The arch as JSON, to be read by ``from_json``."""
        return {"space": self.space, "choices": dict(self.choices)}

    @classmethod
    def from_json(cls, value: Any) -> Arch:
        """Read an arch that ``to_json`` wrote.

        Raises:
            DuonasError: the value does not describe an arch.
        """
        try:
            choices = tuple((str(name), int(index)) for name, index in value["choices"].items())
            return cls(str(value["space"]), choices)
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise DuonasError(f"not an arch: expected {{space, choices}}, got {str(value)[:80]!r}.") from error
