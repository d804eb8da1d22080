"""MLflow: a run on the tracking server that MLFLOW_TRACKING_URI names, else in the working directory."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from duonas.recipe.locations import flat
from duonas.rundir.paths import RunPaths
from duonas.rundir.tracker import PROJECT, Tracker

LONGEST = 500  # letters of a parameter, of which older servers take no more
MOST = 100  # parameters of one request


class MLflow(Tracker):
    """Sends figures to MLflow; ``MLFLOW_TRACKING_URI`` and ``MLFLOW_EXPERIMENT_NAME`` say where to."""

    package = "mlflow"

    def __init__(self, run: RunPaths, settings: Mapping[str, Any]) -> None:
        super().__init__(run, settings)
        self._client: Any = None
        self._id = ""

    def add(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """Send the figures in one request."""
        from mlflow.entities import Metric

        if self._client is None:
            self._begin()
        now = int(1000 * time.time())
        metrics = [Metric(f"{stage}/{name}", value, now, step) for name, value in figures.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def close(self) -> None:
        """Say that the run is over, for now."""
        if self._client is not None:
            self._client.set_terminated(self._id)
        self._client = None

    def _begin(self) -> None:
        from mlflow import MlflowClient

        client = MlflowClient()
        known = self.known()
        if known is None:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
            found = client.get_experiment_by_name(name)
            experiment = client.create_experiment(name) if found is None else found.experiment_id
            known = client.create_run(experiment, run_name=self.run.folder.name).info.run_id
            self._describe(client, known)
            self.remember(known)
        else:
            client.update_run(known, status="RUNNING")
        self._client, self._id = client, known

    def _describe(self, client: Any, number: str) -> None:
        from mlflow.entities import Param

        params = [Param(key, str(value)[:LONGEST]) for key, value in flat(self.settings)]
        for first in range(0, len(params), MOST):
            client.log_batch(number, params=params[first : first + MOST])
