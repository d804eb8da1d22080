"""Where everything lies in a run directory."""

from __future__ import annotations

from pathlib import Path


class RunPaths:
    """The files and folders of a run.

    Args:
        folder: the run directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def log_file(self) -> Path:
        """One JSON object a line: what training and search said as they went."""
        return self.folder / "log.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Folder of the same scalars for TensorBoard."""
        return self.folder / "tensorboard"

    @property
    def splits(self) -> Path:
        """The hashes of the data splits that the run began with."""
        return self.folder / "splits.json"

    @property
    def supernet(self) -> Path:
        """The trained weights."""
        return self.folder / "supernet.safetensors"

    @property
    def beta(self) -> Path:
        """The probability of each operation, where training learned them: by axis and value."""
        return self.folder / "beta.json"

    @property
    def gate(self) -> Path:
        """The gate that was trained together with the pairs, where one was."""
        return self.folder / "gate.safetensors"

    @property
    def checkpoint(self) -> Path:
        """Folder of the training's state."""
        return self.folder / "checkpoint"

    @property
    def logits(self) -> Path:
        """Folder of what each arch answered on the val split."""
        return self.folder / "logits"

    @property
    def trials(self) -> Path:
        """The pairs tried."""
        return self.folder / "trials.parquet"

    @property
    def archs(self) -> Path:
        """The archs evaluated."""
        return self.folder / "archs.parquet"

    @property
    def front(self) -> Path:
        """The Pareto set, and the pair chosen of it."""
        return self.folder / "front.json"

    @property
    def pair(self) -> Path:
        """Folder of the extracted pair and its policy."""
        return self.folder / "pair"

    @property
    def calib(self) -> Path:
        """What tau is chosen by: the router's scores on the calib split, and whether little and big are right."""
        return self.pair / "calib.safetensors"

    @property
    def finetune(self) -> Path:
        """Folder of the state of the pair's own training."""
        return self.folder / "finetune"

    @property
    def export(self) -> Path:
        """Folder of the ONNX files and their policy."""
        return self.folder / "export"

    @property
    def measure(self) -> Path:
        """What was measured on the test split."""
        return self.folder / "measure.json"

    @property
    def test_outputs(self) -> Path:
        """Logits and scores on the test split."""
        return self.folder / "test_outputs.safetensors"

    @property
    def examples(self) -> Path:
        """Easy and hard images."""
        return self.folder / "examples.json"

    @property
    def baselines(self) -> Path:
        """What the static networks reached on the test split."""
        return self.folder / "baselines.json"

    @property
    def baseline_weights(self) -> Path:
        """Folder of the static networks, one subfolder each."""
        return self.folder / "baselines"

    @property
    def ranking(self) -> Path:
        """Folder of what many bigs reach, and how well that agrees with a table; ``ranking/little`` is littles'."""
        return self.folder / "ranking"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"
