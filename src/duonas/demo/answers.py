"""What the page shows: the answer for an image, and what the threshold does. Nothing here knows how it is drawn."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from duonas.demo.pictures import Picture, pictures
from duonas.runtime import Bundle, Row
from duonas.runtime.choose import at_share
from duonas.runtime.units import written_count

SHOWN = 3  # classes of an answer


class Answer(NamedTuple):
    """The answer for an image.

    Args:
        shares: the most probable classes and their softmax, by name.
        who: ``little`` or ``big``.
        score: of the router.
        tau: the threshold it was compared with.
        took_ms: of the prediction, without the preparation of the image.
    """

    shares: dict[str, float]
    who: str
    score: float
    tau: float
    took_ms: float

    @property
    def sentence(self) -> str:
        """Says who answered, and why."""
        side = "at least" if self.who == "little" else "below"
        why = f"the score {self.score:.4g} is {side} tau = {self.tau:.4g}"
        return f"Answered by {self.who} in {self.took_ms:.2f} ms: {why}."


@dataclass
class Demo:
    """A bundle that is asked by a page.

    Args:
        bundle: the bundle.
        pictures: images to try, hardest first.
    """

    bundle: Bundle
    pictures: list[Picture]
    _lock: Lock = field(default_factory=Lock)  # several visitors have one bundle, and each a threshold

    @classmethod
    def open(cls, run: Path, folder: Path) -> Demo:
        """Open the bundle in ``folder``, which is that of a run, with the images that the run keeps.

        Raises:
            BundleError: the bundle cannot be used.
            DuonasError: the run's images cannot.
        """
        bundle = Bundle.load(folder)
        return cls(bundle, pictures(run, folder, bundle.class_names))

    def row(self, little_share: float) -> Row:
        """The threshold of the policy's table whose little share is nearest, with its figures."""
        table = self.bundle.table
        shares, taus = (np.array([getattr(row, name) for row in table]) for name in ("little_share", "tau"))
        return table[at_share(shares, taus, little_share)]

    def chosen_share(self) -> float:
        """The little share of the threshold that the run chose."""
        tau = np.float32(self.bundle.tau)
        return next((row.little_share for row in self.bundle.table if np.float32(row.tau) <= tau), 1.0)

    def told(self, row: Row) -> str:
        """Say what a threshold does, by the policy's table."""
        timed = "" if row.expected_ms is None else f" and {row.expected_ms:.3g} ms where the pair was timed"
        return (
            f"At tau = {row.tau:.4g}, {row.little_share:.0%} of the images stay with little and {row.accuracy:.1%} are "
            f"right ({row.accuracy_lower:.1%} to {row.accuracy_upper:.1%}); on average an image takes "
            f"{written_count(row.expected_macs)} MACs{timed}. Counted on the calib images."
        )

    def answer(self, image: np.ndarray, tau: float) -> Answer:
        """Classify an image (H, W, 3) of any size.

        Raises:
            BundleError: it cannot be prepared.
        """
        prepared = self.bundle.prepare(image)
        with self._lock:
            before, self.bundle.tau = self.bundle.tau, tau
            try:
                start = time.perf_counter()
                found = self.bundle.predict(prepared)
                took = (time.perf_counter() - start) * 1e3
            finally:
                self.bundle.tau = before
        who = "little" if found.is_little[0] else "big"
        return Answer(self._shares(found.logits[0]), who, float(found.score[0]), tau, took)

    def _shares(self, logits: np.ndarray) -> dict[str, float]:
        powers = np.exp(logits.astype(np.float64) - logits.max())
        shares, names = powers / powers.sum(), self.bundle.class_names
        most = np.argsort(-shares, kind="stable")[:SHOWN]
        return {names[each] if names else f"class {each}": float(shares[each]) for each in map(int, most)}
