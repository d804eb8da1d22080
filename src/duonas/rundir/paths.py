"""The names of all files and folders in a run directory."""

from __future__ import annotations

from pathlib import Path


class RunPaths:
    """The files and folders of a run.

    Args:
        folder: the run directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe_file = folder / "recipe.toml"
        """The recipe, every default written out."""
        self.environment_file = folder / "environment.json"
        """The versions and hardware that the run was made with."""
        self.stages_file = folder / "stages.json"
        """The stages that are done, with the checksums of their files."""
        self.log_file = folder / "log.jsonl"
        """Losses and other figures of training, one JSON object a line."""
        self.tensorboard = folder / "tensorboard"
        """Folder of the same figures for TensorBoard."""
        self.splits = folder / "splits.json"
        """The hashes of the data splits that the run began with."""
        self.data = folder / "data.json"
        """What is known of the images: counts, copies, problems."""
        self.supernet = folder / "supernet.safetensors"
        """The weights of the trained supernet."""
        self.beta = folder / "beta.json"
        """The probability of each operation by axis and value, where the training rule learns them."""
        self.gate = folder / "gate.safetensors"
        """The gate that was trained together with the pairs, where the training rule has one."""
        self.checkpoint = folder / "checkpoint"
        """Folder of the state of the supernet's training."""
        self.logits = folder / "logits"
        """Folder of the logits of each arch on the val split."""
        self.trials = folder / "trials.parquet"
        """The pairs that the search tried."""
        self.archs = folder / "archs.parquet"
        """The archs that the search evaluated."""
        self.front = folder / "front.json"
        """The Pareto front, and the pair chosen from it."""
        self.pair = folder / "pair"
        """Folder of the chosen pair and its routing policy."""
        self.policy = self.pair / "policy.json"
        """How the pair routes."""
        self.calib = self.pair / "calib.safetensors"
        """The router's scores on the calib split, and whether little and big are right there."""
        self.stored_images = self.pair / "images.safetensors"
        """Images of the calib split for the self-test of a device."""
        self.finetune = folder / "finetune"
        """Folder of the state of the pair's fine-tuning."""
        self.untuned_pair = self.finetune / "start"
        """Folder of the pair that fine-tuning starts from."""
        self.export = folder / "export"
        """Folder of the ONNX files and their policy."""
        self.measure = folder / "measure.json"
        """Accuracy, cost and latency on the test split."""
        self.test_outputs = folder / "test_outputs.safetensors"
        """Logits and scores on the test split."""
        self.examples = folder / "examples.json"
        """Easy and hard test images for the report."""
        self.baselines = folder / "baselines.json"
        """Accuracy and cost of the static networks on the test split."""
        self.baseline_weights = folder / "baselines"
        """Folder of the static networks' weights, a subfolder each."""
        self.ranking = folder / "ranking"
        """Folder of the ranking of many bigs; that of littles is in ``ranking/little``."""
        self.report = folder / "report.html"
        """The report."""
