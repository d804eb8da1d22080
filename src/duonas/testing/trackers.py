"""The contract of trackers."""

from __future__ import annotations

from abc import ABC, abstractmethod

from duonas.rundir.tracker import Tracker

Shown = list[tuple[str, int, dict[str, float]]]


class TrackerContract(ABC):
    """Tests of every tracker: what it is told is what it shows, once for each step, also of a resumed run."""

    @abstractmethod
    def tracker(self) -> Tracker:
        """Return the tracker under test, of the same run at every call."""

    @abstractmethod
    def shown(self) -> Shown:
        """Return what it shows after ``close``: stage, step and figures of each step, in any order."""

    def test_it_shows_what_it_is_told(self) -> None:
        """All figures of two stages, which each count their own steps."""
        tracker = self.tracker()
        told: Shown = [
            ("train", 1, {"loss": 2.5, "lr": 0.5}),
            ("train", 2, {"loss": 1.5}),
            ("search", 1, {"size": 3}),
        ]
        for stage, step, figures in told:
            tracker.add(stage, step, figures)
        tracker.close()
        assert sorted(self.shown(), key=str) == sorted(told, key=str)

    def test_nothing_is_opened_before_the_first_step(self) -> None:
        """A command that trains nothing shows nothing."""
        self.tracker().close()
        assert self.shown() == []

    def test_a_resumed_run_goes_on_in_the_same_place(self) -> None:
        """Another process adds to what the first one showed."""
        for step in (1, 2):
            tracker = self.tracker()
            tracker.add("train", step, {"loss": 1.0 / step})
            tracker.close()
        assert sorted(self.shown(), key=str) == [("train", 1, {"loss": 1.0}), ("train", 2, {"loss": 0.5})]
