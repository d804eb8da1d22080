"""The log of a run: figures as JSON lines, and those of training steps for TensorBoard too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from duonas.core.files import append_json_line, drop_broken_end, read_json_lines, write_json_lines


class RunLog:
    """``log.jsonl`` and ``tensorboard/`` of a run.

    Args:
        file: the JSON lines.
        tensorboard: folder of TensorBoard's files.
    """

    def __init__(self, file: Path, tensorboard: Path) -> None:
        self._file, self._tensorboard = file, tensorboard
        self._boards: dict[str, Any] = {}
        self._resumed: set[str] = set()

    def repair(self) -> None:
        """Cut off the broken last line that a killed process can leave."""
        drop_broken_end(self._file)

    def add(self, stage: str, **figures: Any) -> None:
        """Add a line; where it has a ``step``, its numbers also go to TensorBoard.

        The first step that a stage logs is the one it resumed at: entries of a killed process from there on are
        dropped.
        """
        step = figures.get("step")
        if step is not None and stage not in self._resumed:
            self.truncate(stage, step - 1)
            self._resumed.add(stage)
        append_json_line(self._file, {"stage": stage, **figures})
        if step is not None:
            board = self._board(stage, step)
            for name, value in figures.items():
                if name != "step" and isinstance(value, int | float):
                    board.add_scalar(f"{stage}/{name}", value, step)

    def read(self, stage: str | None = None) -> list[dict[str, Any]]:
        """All entries, oldest first; only those of ``stage`` where one is named."""
        return [entry for entry in read_json_lines(self._file) if stage is None or entry.get("stage") == stage]

    def truncate(self, stage: str, step: int) -> None:
        """Drop the entries of ``stage`` after ``step``."""
        entries = read_json_lines(self._file)
        kept = [entry for entry in entries if entry.get("stage") != stage or entry.get("step", 0) <= step]
        if len(kept) < len(entries):
            write_json_lines(self._file, kept)

    def close(self) -> None:
        """Write what TensorBoard has not written yet."""
        for board in self._boards.values():
            board.close()
        self._boards.clear()

    def _board(self, stage: str, step: int) -> Any:
        if stage not in self._boards:
            from torch.utils.tensorboard import SummaryWriter

            # Purging hides the steps after the resumed one in all of a folder, so a stage that counts its steps from
            # 1 again has a folder of its own.
            folder = self._tensorboard if stage == "train" else self._tensorboard / stage
            self._boards[stage] = SummaryWriter(str(folder), purge_step=step)
        return self._boards[stage]
