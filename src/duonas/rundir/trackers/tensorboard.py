"""TensorBoard: event files in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duonas.rundir.paths import RunPaths
from duonas.rundir.tracker import Tracker


class TensorBoard(Tracker):
    """Writes ``tensorboard/``: ``tensorboard --logdir runs`` shows it."""

    package = "tensorboard"

    def __init__(self, run: RunPaths, settings: Mapping[str, Any]) -> None:
        super().__init__(run, settings)
        self._boards: dict[str, Any] = {}

    def add(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """Write the figures; the first step of a stage hides later ones of a killed process."""
        if stage not in self._boards:
            self._boards[stage] = self._board(stage, step)
        for name, value in figures.items():
            self._boards[stage].add_scalar(f"{stage}/{name}", value, step)

    def close(self) -> None:
        """Write what is not written yet."""
        for board in self._boards.values():
            board.close()
        self._boards.clear()

    def _board(self, stage: str, step: int) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        # Purging hides the steps after the resumed one in all of a folder, so a stage that counts its steps from 1
        # again has a folder of its own.
        folder = self.run.tensorboard if stage == "train" else self.run.tensorboard / stage
        return SummaryWriter(str(folder), purge_step=step)
