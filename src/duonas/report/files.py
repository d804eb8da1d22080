"""Reads the files of a run directory, once. Whatever the report needs of them it gets here.

``WRITTEN_BY`` names the files and the stage that writes each of them; those that do not exist are ``None``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, read_json_lines
from duonas.core.parquet import read_table
from duonas.core.tensors import load_arrays
from duonas.measure.accuracy import Outputs
from duonas.report.bench import read_bench
from duonas.report.thresholds import Thresholds, thresholds

WRITTEN_BY = {
    "environment.json": "run", "recipe.toml": "run", "stages.json": "run", "data.json": "run",
    "plan.json": "run", "log.jsonl": "train",
    "archs.parquet": "search", "trials.parquet": "search", "front.json": "search",
    "narrow.json": "run", "given.json": "search",
    "pair/pair.json": "pair", "finetuned.json": "finetune", "quantized.json": "quantize",
    "pair/policy.json": "route",
    "test_outputs.safetensors": "measure", "examples.json": "measure", "baselines.json": "baselines",
    "beta.json": "train", "ranking/ranking.json": "rank", "ranking/archs.parquet": "rank",
    "ranking/little/ranking.json": "rank", "ranking/little/archs.parquet": "rank",
}  # fmt: skip

DEVICES = "devices"  # folder of files that devices wrote
Row = dict[str, Any]
Probabilities = dict[str, dict[str, float]]  # axis to value to probability


@dataclass(frozen=True)
class RunFiles:
    """The contents of one run's files; ``files["front.json"]`` is ``None`` where that file does not exist.

    The properties need their files: ``outputs`` that of the measurement, ``cost`` that of the pair.
    """

    folder: Path
    measure: dict[str, Any]
    contents: dict[str, Any]
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """The content of a file."""
        return self.contents[name]

    @property
    def outputs(self) -> Outputs:
        """Logits, scores, decisions and labels of the test images."""
        outputs: Outputs = self["test_outputs.safetensors"]
        return outputs

    @cached_property
    def cost(self) -> PairCost:
        """The cost of the pair in MACs, part by part; the router's is included once there is a policy."""
        policy = self["pair/policy.json"]
        return PairCost(**(policy["costs"] if policy else self["pair/pair.json"]["costs"]["macs"]))

    @cached_property
    def weights(self) -> dict[str, dict[str, np.ndarray]] | None:
        """The parameters of little and of big by name; ``None`` for networks that are ONNX files."""
        files = {role: self.folder / "pair" / f"{role}.safetensors" for role in ("little", "big")}
        if not all(path.exists() for path in files.values()):
            return None
        return {role: load_arrays(path)[0] for role, path in files.items()}

    @cached_property
    def thresholds(self) -> Thresholds:
        """The thresholds of the report's slider."""
        return thresholds(self.outputs, self.cost, self.measure)

    @property
    def tau(self) -> float:
        """The threshold that was measured; infinities are stored as strings."""
        return float(self.measure["tau"])

    @property
    def preferences(self) -> Probabilities:
        """The probability of each value of each axis, as learned in training.

        Raises:
            DuonasError: ``beta.json`` holds something else.
        """
        try:
            rows = self["beta.json"].items()
            return {axis: {value: float(share) for value, share in row.items()} for axis, row in rows}
        except (AttributeError, TypeError, ValueError) as error:
            raise DuonasError(
                f"{self.folder / 'beta.json'} is damaged: expected the probabilities of each axis' values."
            ) from error

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of every class that the networks know; see ``class_name``."""
        return tuple(self.class_name(index) for index in range(self.outputs.little_logits.shape[1]))

    def class_name(self, index: int) -> str:
        """The name of a class, or its number where the run has no names."""
        names = (self["pair/policy.json"] or {}).get("class_names") or ()
        return str(names[index]) if 0 <= index < len(names) else f"class {index}"


def read_run(folder: Path) -> RunFiles:
    """Read all the files that the report shows.

    Raises:
        DuonasError: there is no such run, it was not measured yet, or a file is damaged.
    """
    if not folder.is_dir():
        raise DuonasError(f"there is no run directory {folder}.")
    if not (folder / "measure.json").exists():
        raise DuonasError(f"{folder} has no measure.json yet: run `duonas measure {folder}` before the report.")
    contents = {name: _read(folder / name) for name in WRITTEN_BY}
    devices = {path.stem: read_bench(path) for path in sorted((folder / DEVICES).glob("*.json"))}
    return RunFiles(folder, read_json(folder / "measure.json"), contents, devices)


def _read(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return READERS[path.suffix](path)
    except DuonasError:
        raise
    except Exception as error:  # each library has its own exceptions for a broken file
        raise DuonasError(f"{path} is damaged: {str(error).splitlines()[0] if str(error) else error!r}.") from error


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _table(path: Path) -> list[Row]:
    rows: list[Row] = read_table(path).to_pylist()
    return rows


def _outputs(path: Path) -> Outputs:
    arrays = load_arrays(path)[0]
    return Outputs(
        arrays["little_logits"], arrays["big_logits"], arrays["score"].astype(float).reshape(-1),
        arrays["is_little"].astype(bool).reshape(-1), arrays["labels"].astype(int),
    )  # fmt: skip


READERS: dict[str, Callable[[Path], Any]] = {
    ".json": read_json, ".toml": _text, ".jsonl": read_json_lines, ".parquet": _table, ".safetensors": _outputs,
}  # fmt: skip
