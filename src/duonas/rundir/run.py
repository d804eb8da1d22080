"""The run directory: everything that a run reads and writes, and what of it is done."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from duonas.core.errors import DuonasError
from duonas.core.files import checksum, read_json, write_json, write_text
from duonas.recipe.schema import Recipe, dumps, first_difference, load, parse, to_tables
from duonas.rundir.environment import describe_environment, is_main_process
from duonas.rundir.log import append_line, drop_after, drop_broken_end, read_lines
from duonas.rundir.paths import RunPaths

STAGES = ("train", "search", "pair", "finetune", "route", "export", "measure", "baselines", "report")


class Run(RunPaths):
    """A run's folder. ``Run(folder)`` reads it; ``Run.open(folder, recipe)`` makes it or goes on with it.

    A stage is done when ``stages.json`` lists it and all the files it wrote are there with the checksums they had. A
    file that is missing has its stage done again; one that was changed is refused, since nobody can say what it is.

    Args:
        folder: an existing run.

    Raises:
        DuonasError: it is not a run.
    """

    def __init__(self, folder: Path | str) -> None:
        super().__init__(Path(folder))
        if not (self.folder / "recipe.toml").is_file():
            raise DuonasError(f"{self.folder} is not a run: it holds no recipe.toml.")
        self.writes = self._made = self._made_folder = False
        self._lock: IO[str] | None = None
        self._boards: dict[str, Any] = {}
        self._started: dict[str, float] = {}
        self._resumed: set[str] = set()

    @classmethod
    def open(cls, folder: Path | str, recipe: Recipe) -> Run:
        """Make the run or go on with it, and hold it until ``close``, so that no other process writes to it.

        Under ``torchrun`` only rank 0 writes: in the others ``writes`` is false and every writing method does nothing.

        Raises:
            DuonasError: the folder holds something else or another recipe's run, its recipe was edited since, or
                another process is writing to it.
        """
        folder = Path(folder)
        recipe = parse(to_tables(recipe))  # a recipe built in Python is checked here
        if not is_main_process():
            return _Reader(folder, recipe)
        made_folder = _make(folder)
        lock = _take_lock(folder)
        try:
            made = not (folder / "recipe.toml").exists()
            if made:
                _begin(folder, recipe)
            run = cls(folder)
            run._lock, run.writes, run._made, run._made_folder = lock, True, made, made_folder
            _sweep(folder)
            run._check_recipe(recipe)
            run._note_environment()
            drop_broken_end(run.log_file)
        except BaseException:
            lock.close()
            raise
        return run

    def close(self) -> None:
        """Let go of the folder."""
        for board in self._boards.values():
            board.close()
        self._boards.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self.writes = False

    def hold_splits(self, hashes: Mapping[str, str]) -> None:
        """Note the splits' hashes where the run is new.

        Raises:
            DuonasError: the run began with other images, so what was trained on could now be tested on.
        """
        if self.splits.exists():
            known = read_json(self.splits)
            changed = [name for name in hashes if known.get(name) != hashes[name]]
            if changed:
                raise DuonasError(
                    f"the data changed since {self.folder} began (its {changed[0]} split is another one): put the old "
                    "images back, or start a new run with --out."
                )
        elif self.writes:
            write_json(self.splits, dict(hashes))

    def forget_if_new(self) -> None:
        """Take away what ``open`` wrote if it made the run, so that a corrected recipe can have the folder.

        The folder too, if it made that. Nothing can be written after this.
        """
        if self.writes and self._made:
            for name in ("recipe.toml", "stages.json", "environment.json", "splits.json"):
                (self.folder / name).unlink(missing_ok=True)
            if self._made_folder and [path.name for path in self.folder.iterdir()] == [".lock"]:
                with suppress(OSError):  # on Windows nobody may remove an open file
                    (self.folder / ".lock").unlink()
                    self.folder.rmdir()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def recipe(self) -> Recipe:
        """The recipe that made this run."""
        return load(self.folder)

    @property
    def environment(self) -> dict[str, Any]:
        """Versions and hardware when the run was made; ``resumed_with`` lists later ones that differ."""
        found: dict[str, Any] = read_json(self.folder / "environment.json")
        return found

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Stage name to ``{"files": {path: SHA-256}, "seconds", "figures", "finished"}`` of what is done."""
        path = self.folder / "stages.json"
        return _stored_stages(path)["stages"] if path.exists() else {}

    def is_done(self, stage: str) -> bool:
        """Whether ``stage`` and all its files are there.

        Raises:
            DuonasError: one of its files is not what the stage wrote.
        """
        record = self.stages.get(stage)
        if record is None or record.get("stale"):
            return False
        if not all((self.folder / name).is_file() for name in record["files"]):
            return False
        for name, expected in record["files"].items():
            if checksum(self.folder / name) != expected:
                raise DuonasError(
                    f"{self.folder / name} is not what stage {stage!r} wrote (its checksum differs): "
                    "delete it to have the stage done again."
                )
        return True

    def start(self, stage: str) -> None:
        """Note that ``stage`` is being done, so that its old files, if any, no longer count."""
        self._started[stage] = time.monotonic()
        stages = self.stages
        if self.writes and stage in stages:
            stages[stage]["stale"] = True
            self._write_stages(stages)

    def finish(
        self,
        stage: str,
        files: Iterable[Path | str] = (),
        *,
        seconds: float | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> None:
        """Note that ``stage`` is done. Later stages stay done only where it wrote the same bytes as before.

        Args:
            stage: of ``STAGES``.
            files: what it wrote, in the run's folder.
            seconds: what it took; default: since ``start``.
            figures: what to remember of it, such as the accuracy.
        """
        if not self.writes:
            return
        if seconds is None:
            seconds = time.monotonic() - self._started.get(stage, time.monotonic())
        sums = {self._relative(file): checksum(self.folder / self._relative(file)) for file in files}
        stages = self.stages
        if stages.get(stage, {}).get("files") != sums:
            position = STAGES.index(stage)
            stages = {name: record for name, record in stages.items() if STAGES.index(name) < position}
        stages[stage] = {
            "files": sums,
            "seconds": round(seconds, 3),
            "figures": dict(figures or {}),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self._write_stages({name: stages[name] for name in STAGES if name in stages})

    def change(self, recipe: Recipe, stage: str) -> None:
        """Go on with another recipe that differs for ``stage`` and what follows it; all before it stays done.

        Of the two files that this writes neither is ever without the other: ``stages.json`` first says which recipe is
        to come, so that a kill in between leaves a run that either recipe fits, its ``stage`` not done.
        """
        if not self.writes or first_difference(self.recipe, recipe) is None:
            return
        text, stages = _written(recipe), self.stages
        if stage in stages:
            stages[stage]["stale"] = True
        self._write_stages(stages, becoming=hashlib.sha256(text.encode()).hexdigest())
        write_text(self.folder / "recipe.toml", text)
        self._write_stages(stages)

    def log(self, stage: str, **figures: Any) -> None:
        """Add a line to ``log.jsonl``; where it has a ``step``, its numbers also go to ``tensorboard/``.

        The first step that a stage logs is where it was resumed: what a killed run had logged from there on is dropped.
        """
        if not self.writes:
            return
        step = figures.get("step")
        if step is not None and stage not in self._resumed:
            self.truncate_log(step - 1, stage)
            self._resumed.add(stage)
        append_line(self.log_file, {"stage": stage, **figures})
        if step is not None:
            for name, value in figures.items():
                if name != "step" and isinstance(value, int | float):
                    self._tensorboard(stage, step).add_scalar(f"{stage}/{name}", value, step)

    def read_log(self, stage: str | None = None) -> list[dict[str, Any]]:
        """The entries of ``log.jsonl``, oldest first; of one stage where it is given."""
        return [entry for entry in read_lines(self.log_file) if stage is None or entry.get("stage") == stage]

    def truncate_log(self, step: int, stage: str = "train") -> None:
        """Drop the entries of ``stage`` past ``step``."""
        if self.writes:
            drop_after(self.log_file, stage, step)

    def _check_recipe(self, recipe: Recipe) -> None:
        stored = self.recipe
        difference = first_difference(stored, recipe)
        if difference is not None:
            key, there, here = difference
            raise DuonasError(
                f"{self.folder} was made by another recipe: {key} is {_shown(there)} there and {_shown(here)} here; "
                f"give another folder with --out, or go on with that one: duonas run {self.folder}."
            )
        stages = self.folder / "stages.json"
        if not stages.exists():
            self._write_stages({})
            return
        stored_stages = _stored_stages(stages)
        if checksum(self.folder / "recipe.toml") not in (stored_stages["recipe"], stored_stages.get("becoming")):
            raise DuonasError(
                f"{self.folder / 'recipe.toml'} was edited after its run began, so what is done may not fit it; "
                f"start a new run of it: duonas run {self.folder / 'recipe.toml'} --out OTHER."
            )

    def _note_environment(self) -> None:
        path, now = self.folder / "environment.json", describe_environment()
        if not path.exists():
            write_json(path, now)
            return
        known = self.environment
        later = known.get("resumed_with", [])
        if now not in [{key: value for key, value in known.items() if key != "resumed_with"}, *later]:
            write_json(path, known | {"resumed_with": [*later, now]})

    def _write_stages(self, stages: dict[str, dict[str, Any]], becoming: str | None = None) -> None:
        value: dict[str, Any] = {"version": 1, "recipe": checksum(self.folder / "recipe.toml"), "stages": stages}
        write_json(self.folder / "stages.json", value if becoming is None else value | {"becoming": becoming})

    def _relative(self, file: Path | str) -> str:
        path = Path(file)
        return (path.relative_to(self.folder) if path.is_relative_to(self.folder) else path).as_posix()

    def _tensorboard(self, stage: str, step: int) -> Any:
        if stage not in self._boards:
            from torch.utils.tensorboard import SummaryWriter

            # Purging hides what a killed run had written past the step that is resumed, in all of a folder: so a stage
            # that counts its steps from 1 again has a folder of its own.
            folder = self.tensorboard if stage == "train" else self.tensorboard / stage
            self._boards[stage] = SummaryWriter(str(folder), purge_step=step)
        return self._boards[stage]


class _Reader(Run):
    """The run as a process sees it that is not the one to write; the folder may not be there yet."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        RunPaths.__init__(self, folder)
        self._recipe = recipe
        self.writes = self._made = self._made_folder = False
        self._lock, self._boards, self._started = None, {}, {}
        self._resumed = set()

    @property
    def recipe(self) -> Recipe:
        return self._recipe


def _stored_stages(path: Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict) or not {"recipe", "stages"} <= found.keys():
        raise DuonasError(f"{path} is damaged: it does not say which stages are done; start a new run with --out.")
    return found


def _make(folder: Path) -> bool:
    """Have the folder there; whether it was not."""
    if folder.exists() and not folder.is_dir():
        raise DuonasError(f"{folder} is a file: a run needs a folder of its own; give another with --out.")
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # What a killed start can have left does not count.
        strangers = [p.name for p in sorted(folder.iterdir()) if p.name != ".lock" and p.suffix != ".part"]
    except OSError as error:
        raise DuonasError(f"cannot make a run in {folder}: {error.strerror or error}.") from error
    if strangers and "recipe.toml" not in strangers:
        raise DuonasError(f"{folder} is not empty and not a run (it holds {strangers[0]}): give another with --out.")
    return new


def _sweep(folder: Path) -> None:
    """Remove what a killed process had half written under temporary names."""
    for path in list(folder.rglob(".*.part")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _begin(folder: Path, recipe: Recipe) -> None:
    write_text(folder / "recipe.toml", _written(recipe))


def _written(recipe: Recipe) -> str:
    header = "# What this run does, every default written out. To change something, edit a copy or use --set.\n"
    return header + dumps(recipe)


def _take_lock(folder: Path) -> IO[str]:
    """Hold ``folder/.lock`` for as long as the returned file is open; the system lets go of it when a process dies."""
    try:
        file = (folder / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise DuonasError(f"cannot write to {folder}: {error.strerror or error}.") from error
    try:
        import fcntl
    except ImportError:  # Windows has no such lock; two processes on one run are then the user's to avoid
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise DuonasError(
            f"another process (number {owner}) is writing to {folder}: wait for it, or give another folder with --out."
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _shown(value: Any) -> str:
    return "not set" if value is None else repr(value)
