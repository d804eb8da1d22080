"""Which stages of a run are done: ``stages.json`` lists them with the checksums of the files that they wrote."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.core.files import checksum, read_json, write_json
from duonas.rundir.paths import RunPaths

STAGES = ("train", "search", "pair", "finetune", "route", "export", "measure", "baselines", "report")
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
        """Record ``stage`` as done; see ``Run.finish``."""
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

    def write(self, records: Records, plugins: Mapping[str, str] | None = None, **more: Any) -> None:
        """Write the records for the recipe that the run has now.

        Args:
            records: as ``read`` gives them.
            plugins: the hashes of the user's own parts; default: those that are there.
            more: further keys, which the next ``write`` drops.
        """
        hashes = self.plugins if plugins is None else dict(plugins)
        head = {"version": VERSION, "recipe": checksum(self._paths.recipe_file)}
        write_json(
            self._paths.stages_file, {**head, **({"plugins": hashes} if hashes else {}), "stages": records, **more}
        )

    @property
    def plugins(self) -> dict[str, str]:
        """The SHA-256 of the source of each of the user's own parts, by its name, when the run began."""
        return dict(self._read().get("plugins", {}))

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
    if isinstance(stored, dict) and stored.get("version") not in (None, VERSION):
        raise DuonasError(f"{path} is of another version of duonas ({stored['version']!r}, expected {VERSION}).")
    records = stored.get("stages") if isinstance(stored, dict) else None
    if not isinstance(records, dict) or not all(map(_is_record, records.values())) or not _is_head(stored):
        raise DuonasError(f"{path} is damaged: it does not say which stages are done; start a new run with --out.")
    for name in records.keys() - set(STAGES):
        raise DuonasError(f"{path} is damaged: there is no stage {name!r}, {nearest(name, STAGES)}.")
    return stored


def _is_head(stored: dict[str, Any]) -> bool:
    return isinstance(stored.get("recipe"), str) and isinstance(stored.get("plugins", {}), dict)


def _is_record(record: Any) -> bool:
    files = record.get("files") if isinstance(record, dict) else None
    return isinstance(files, dict) and all(isinstance(each, str) for each in files.values())
