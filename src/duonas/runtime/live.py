"""What goes along with a bundle while it answers: its statistics, and if asked for a drift watch and a controller."""

from __future__ import annotations

import threading

import numpy as np

from .controller import Controller
from .drift import DriftWatch
from .stats import Stats


class Live:
    """Takes in every answer of a bundle; threads may answer at the same time."""

    def __init__(self) -> None:
        self.stats = Stats()
        self.drift: DriftWatch | None = None
        self.controller: Controller | None = None
        self.watts: float | None = None  # by which a controller of energy knows the energy of a time
        self._lock = threading.RLock()  # so that whoever is told of a change may ask the bundle

    def note(self, score: np.ndarray, is_little: np.ndarray, tau: float, ms: float) -> None:
        """Take in answers.

        Args:
            score: (N,) float32.
            is_little: (N,) bool.
            tau: the threshold that was in force.
            ms: that all of them took.
        """
        count = len(score)
        if not count:
            return
        little = bool(is_little[0]) if count == 1 else int(np.count_nonzero(is_little))
        with self._lock:
            self.stats.add(count, little, ms)
            if self.controller:
                self._control(self.controller, count, little, ms)
            if self.drift:
                self.drift.add(score, tau)

    def _control(self, controller: Controller, count: int, little: int, ms: float) -> None:
        if controller.aim.kind == "share":
            controller.add(little / count, count)
        elif controller.aim.kind == "latency":
            controller.add(ms / count, count)
        elif self.watts is not None:  # else the user gives what a meter says
            controller.add(ms / count * self.watts, count)
