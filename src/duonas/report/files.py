"""What a run directory holds, read once; optional files that are missing are ``None``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from duonas.core.cost import PairCost
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.measure.accuracy import Outputs

T = TypeVar("T")

WRITTEN_BY = {
    "environment.json": "run", "recipe.toml": "run", "stages.json": "run", "log.jsonl": "train",
    "archs.parquet": "search", "trials.parquet": "search", "front.json": "search",
    "pair/pair.json": "pair", "pair/policy.json": "route",
    "test_outputs.safetensors": "measure", "examples.json": "measure", "baselines.json": "baselines",
    "beta.json": "train", "ranking/ranking.json": "rank", "ranking/archs.parquet": "rank",
    "ranking/little/ranking.json": "rank", "ranking/little/archs.parquet": "rank",
}  # fmt: skip


@dataclass(frozen=True)
class RunFiles:
    """The files of one run; ``files["front.json"]`` is ``None`` where it does not exist."""

    folder: Path
    measure: dict[str, Any]
    contents: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """What a file holds."""
        return self.contents[name]

    @property
    def outputs(self) -> Outputs | None:
        """The test outputs."""
        outputs: Outputs | None = self.contents["test_outputs.safetensors"]
        return outputs

    @cached_property
    def cost(self) -> PairCost | None:
        """The pair's cost in MACs, part by part, its router's among them where it has one already."""
        pair, policy = self["pair/pair.json"], self["pair/policy.json"]
        cost = pair and (policy["costs"] if policy else pair["cost"])
        return PairCost(**cost) if cost else None

    @property
    def tau(self) -> float:
        """The threshold that was measured; infinities are stored as strings."""
        return float(self.measure["tau"])

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
    return RunFiles(folder, read_json(folder / "measure.json"), contents)


def _read(path: Path) -> Any:
    if not path.exists():
        return None
    readers: dict[str, Callable[[Path], Any]] = {
        ".json": read_json,
        ".toml": _text,
        ".jsonl": _lines,
        ".parquet": _table,
    }
    try:
        return readers.get(path.suffix, _outputs)(path)
    except DuonasError:
        raise
    except Exception as error:  # each library has its own exceptions for a broken file
        raise DuonasError(f"{path} is damaged: {str(error).splitlines()[0] if str(error) else error!r}.") from error


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _lines(path: Path) -> list[dict[str, Any]]:
    """JSON lines; a last line that a killed run left half-written is dropped."""
    rows = []
    for line in _text(path).splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return [row for row in rows if isinstance(row, dict)]


def _table(path: Path) -> dict[str, list[Any]]:
    from pyarrow import parquet

    columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    return columns


def _outputs(path: Path) -> Outputs:
    from safetensors.numpy import load_file

    arrays = load_file(path)
    return Outputs(
        arrays["little_logits"], arrays["big_logits"], arrays["score"].astype(float).reshape(-1),
        arrays["is_little"].astype(bool).reshape(-1), arrays["labels"].astype(int),
    )  # fmt: skip
