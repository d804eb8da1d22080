"""The finished runs of a study, and the figures in their files."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from duonas.core.files import read_json, read_object
from duonas.core.parquet import read_table
from duonas.core.text import listed
from duonas.pipeline.compare import run_folder
from duonas.pipeline.variants import is_done
from duonas.recipe.study import Study, Variant


def _seconds(folder: Path) -> dict[str, float]:
    """What each stage took in seconds, all of them together, and the training of supernet and pair."""
    spent = {name: float(each["seconds"]) for name, each in read_object(folder / "stages.json")["stages"].items()}
    trained = sum(spent.get(stage, 0.0) for stage in ("train", "finetune"))
    return spent | {"all": sum(spent.values()), "trained": trained}


# What the first word of a figure's path names.
FILES: dict[str, Callable[[Path], Any]] = {
    "archs": lambda folder: read_table(folder / "archs.parquet").to_pylist(),
    "trials": lambda folder: read_table(folder / "trials.parquet").to_pylist(),
    "recipe": lambda folder: tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8")),
    "seconds": _seconds,
    "pair": lambda folder: read_json(folder / "pair" / "pair.json"),
    "policy": lambda folder: read_json(folder / "pair" / "policy.json"),
    "ranking": lambda folder: read_json(folder / "ranking" / "ranking.json"),
    **{name: lambda folder, name=name: read_json(folder / f"{name}.json")  # type: ignore[misc]
       for name in ("measure", "baselines", "front", "finetuned", "environment", "data", "plan", "quantized")},
}  # fmt: skip
STORED = {
    "archs": "archs.parquet", "trials": "trials.parquet", "recipe": "recipe.toml", "seconds": "stages.json",
    "pair": "pair/pair.json", "policy": "pair/policy.json", "ranking": "ranking/ranking.json",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        variant: of its study.
        seed: its seed.
        folder: where it is.
    """

    variant: str
    seed: int
    folder: Path
    _known: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def find(self, path: str) -> Any:
        """Return a figure by its path, such as ``measure.routed.accuracy``; ``None`` where the run does not have it.

        Args:
            path: the name of a file, see ``FILES``, and the keys that lead to the figure in it.
        """
        name, *keys = path.split(".")
        return look(self._file(name), keys)

    def _file(self, name: str) -> Any:
        if name not in self._known:
            there = (self.folder / STORED.get(name, f"{name}.json")).is_file()
            self._known[name] = FILES[name](self.folder) if there else None
        return self._known[name]


@dataclass(frozen=True)
class Finished:
    """A study, and those of its runs that are finished."""

    study: Study
    runs: Sequence[Run]

    @classmethod
    def of(cls, study: Study, folder: Path) -> Finished:
        """Find the finished runs of a study.

        Args:
            study: the study.
            folder: the folder of its runs.

        Raises:
            DuonasError: the files of a run were changed since.
        """
        places = ((each, seed, run_folder(folder, each.name, seed)) for each in study.variants for seed in study.seeds)
        return cls(study, [Run(each.name, seed, place) for each, seed, place in places if is_done(each, seed, place)])

    def only(self, study: Study) -> Finished:
        """What is finished of a part of the study."""
        names = {variant.name for variant in study.variants}
        return Finished(study, [run for run in self.runs if run.variant in names and run.seed in study.seeds])

    @property
    def wanted(self) -> int:
        """The number of runs of the whole study."""
        return len(self.study.variants) * len(self.study.seeds)

    def of_variant(self, name: str) -> list[Run]:
        """The finished runs of a variant, by seed."""
        return [run for run in self.runs if run.variant == name]

    def lacking(self) -> Iterator[tuple[Variant, list[int]]]:
        """Yield each variant of which runs are missing, with their seeds."""
        for variant in self.study.variants:
            done = {run.seed for run in self.of_variant(variant.name)}
            if seeds := [seed for seed in self.study.seeds if seed not in done]:
                yield variant, seeds

    def note(self) -> str:
        """A sentence on what is not finished; empty if all is."""
        lacking = [
            f"{variant.name} (seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})"
            for variant, seeds in self.lacking()
        ]
        return f"Not finished: {listed(lacking, 6)}." if lacking else ""


def look(value: Any, keys: Sequence[str]) -> Any:
    """Follow keys into objects and lists; ``None`` where one of them does not exist."""
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
