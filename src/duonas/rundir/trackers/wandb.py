"""Weights & Biases: a page on the web, or files to upload later where WANDB_MODE=offline."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from duonas.rundir.paths import RunPaths
from duonas.rundir.tracker import PROJECT, Tracker


class WeightsAndBiases(Tracker):
    """Sends figures to wandb, whose own settings (``wandb login``, ``WANDB_PROJECT``, ``WANDB_MODE``) say where to."""

    package = "wandb"

    def __init__(self, run: RunPaths, settings: Mapping[str, Any]) -> None:
        super().__init__(run, settings)
        self._page: Any = None
        self._stages: set[str] = set()

    def add(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """Send the figures with the steps of their stage, since wandb's own never go back."""
        page = self._begun()
        if stage not in self._stages:
            page.define_metric(f"{stage}/*", step_metric=f"{stage}/step")
            self._stages.add(stage)
        page.log({f"{stage}/{name}": value for name, value in figures.items()} | {f"{stage}/step": step})

    def close(self) -> None:
        """Send what was not sent yet."""
        if self._page is not None:
            self._page.finish()
        self._page = None
        self._stages.clear()

    def _begun(self) -> Any:
        import wandb

        if self._page is None:
            self._page = wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT), name=self.run.folder.name, dir=str(self.run.folder),
                id=self.known(), resume="allow", config=dict(self.settings),
            )  # fmt: skip
            self.remember(self._page.id)
        return self._page
