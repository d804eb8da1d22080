"""Trackio: a local page, shown by `trackio show`, or a Space of Hugging Face."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from duonas.recipe.locations import flat
from duonas.rundir.paths import RunPaths
from duonas.rundir.tracker import PROJECT, Tracker


class Trackio(Tracker):
    """Sends figures to trackio; ``TRACKIO_PROJECT`` and ``TRACKIO_SPACE_ID`` say where to."""

    package = "trackio"

    def __init__(self, run: RunPaths, settings: Mapping[str, Any]) -> None:
        super().__init__(run, settings)
        self._page: Any = None

    def add(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """Send the figures with the step of their stage."""
        page = self._begun()
        page.log({f"{stage}/{name}": value for name, value in figures.items()}, step=step)

    def close(self) -> None:
        """Send what was not sent yet."""
        if self._page is not None:
            self._page.finish()
        self._page = None

    def _begun(self) -> Any:
        import trackio

        if self._page is None:
            name = self.known() or f"{self.run.folder.name}-{uuid4().hex[:6]}"  # runs of other folders may be called so
            self._page = trackio.init(
                project=os.environ.get("TRACKIO_PROJECT", PROJECT), name=name, resume="allow",
                space_id=os.environ.get("TRACKIO_SPACE_ID"), config=dict(flat(self.settings)),
            )  # fmt: skip
            self.remember(name)
        return self._page
