"""Which stages of a run are done: ``stages.json`` lists them with the checksums of the files that they wrote."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.core.files import checksum, read_json, write_json
from duonas.recipe.origin import BEGAN_IN, SOURCES, began_in
from duonas.rundir.paths import RunPaths

STAGES = (
    "train", "search", "pair", "finetune", "plain", "quantize", "route", "export", "measure", "baselines", "report",
)  # fmt: skip
VERSION = 1  # of stages.json

Records = dict[str, dict[str, Any]]


class StageRecords:
    """The stages of a run that are done.

    Args:
        paths: of the run.
    """

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._started: dict[str, float] = {}

    def read(self) -> Records:
        """Stage name to ``{"files": {path: SHA-256}, "seconds", "figures", "finished"}`` of each stage that was done.

        Raises:
            DuonasError: ``stages.json`` is damaged.
        """
        records: Records = self._read()["stages"]
        return records

    def is_done(self, stage: str) -> bool:
        """Whether ``stage`` is listed and all its files exist.

        Raises:
            DuonasError: one of the files was changed since.
        """
        record = self.read().get(stage)
        if record is None or record.get("stale"):
            return False
        files = {self._paths.folder / name: expected for name, expected in record["files"].items()}
        if not all(file.is_file() for file in files):
            return False
        for file, expected in files.items():
            if checksum(file) != expected:
                raise DuonasError(
                    f"{file} is not what stage {stage!r} wrote (its checksum differs): "
                    "delete it to have the stage done again."
                )
        return True

    def start(self, stage: str) -> None:
        """Mark ``stage`` as being done anew, so that its old files no longer count."""
        self._started[stage] = time.monotonic()
        records = self.read()
        if stage in records:
            records[stage]["stale"] = True
            self.write(records)

    def finish(
        self, stage: str, files: Iterable[Path | str], seconds: float | None, figures: Mapping[str, Any]
    ) -> None:
        """Record ``stage`` as done; see ``RunFolder.finish``."""
        if seconds is None:
            seconds = time.monotonic() - self._started.get(stage, time.monotonic())
        sums = {name: checksum(self._paths.folder / name) for name in map(self._relative, files)}
        records = self.read()
        if records.get(stage, {}).get("files") != sums:
            earlier = STAGES[: STAGES.index(stage)]
            records = {name: record for name, record in records.items() if name in earlier}
        records[stage] = {
            "files": sums,
            "seconds": round(seconds, 3),
            "figures": dict(figures),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self.write({name: records[name] for name in STAGES if name in records})

    def begin(self, sources: Mapping[str, str]) -> None:
        """Write the file for a run that has done nothing yet.

        Args:
            sources: the SHA-256 of each file that the recipe names, see ``sources``.
        """
        self._write({SOURCES: dict(sources), BEGAN_IN: began_in(self._paths.folder)}, {})

    def write(self, records: Records, **more: Any) -> None:
        """Write the records for the recipe that the run has now.

        Args:
            records: as ``read`` gives them.
            more: further keys, which the next ``write`` drops.
        """
        stored = self._read()
        self._write({key: stored[key] for key in (SOURCES, BEGAN_IN) if key in stored}, records, **more)

    @property
    def sources(self) -> dict[str, str]:
        """The SHA-256 of each file that the recipe names, when the run began.

        The files of the user's own parts are named as the parts are, others by their key in the recipe.
        """
        return dict(self._read().get(SOURCES, {}))

    def check_recipe(self) -> None:
        """Compare ``recipe.toml`` with the one that the stages were done by.

        Raises:
            DuonasError: the recipe was edited.
        """
        stored, recipe = self._read(), self._paths.recipe_file
        if checksum(recipe) not in (stored["recipe"], stored.get("becoming")):
            raise DuonasError(
                f"{recipe} was edited after its run began, so what is done may not fit it; "
                f"start a new run of it: duonas run {recipe} --out OTHER."
            )

    def _write(self, began: Mapping[str, Any], records: Records, **more: Any) -> None:
        head = {"version": VERSION, "recipe": checksum(self._paths.recipe_file)}
        write_json(self._paths.stages_file, {**head, **began, "stages": records, **more})

    def _read(self) -> dict[str, Any]:
        path = self._paths.stages_file
        if not path.exists():
            return {"stages": {}}
        return _checked(read_json(path), path)

    def _relative(self, file: Path | str) -> str:
        path, folder = Path(file), self._paths.folder
        return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _checked(stored: Any, path: Path) -> dict[str, Any]:
    """What ``stages.json`` holds, if it is what duonas writes there."""
    version = stored.get("version") if isinstance(stored, dict) else None
    if type(version) is int and version != VERSION:
        raise DuonasError(f"{path} is of another version of duonas ({version}, expected {VERSION}).")
    if version != VERSION or not _is_head(stored) or not all(map(_is_record, stored["stages"].values())):
        raise DuonasError(f"{path} is damaged: it does not say which stages are done; start a new run with --out.")
    for name in stored["stages"].keys() - set(STAGES):
        raise DuonasError(f"{path} is damaged: there is no stage {name!r}, {nearest(name, STAGES)}.")
    return stored


def _is_head(stored: dict[str, Any]) -> bool:
    begun = all(_are_texts(stored.get(key, {})) for key in (SOURCES, BEGAN_IN))
    return begun and isinstance(stored.get("recipe"), str) and isinstance(stored.get("stages"), dict)


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or not _are_texts(record.get("files")):
        return False
    figures, seconds = record.get("figures", {}), record.get("seconds", 0)
    return isinstance(figures, dict) and isinstance(seconds, int | float) and all(map(_is_inside, record["files"]))


def _is_inside(name: str) -> bool:
    """Whether a file is in the run's folder."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
