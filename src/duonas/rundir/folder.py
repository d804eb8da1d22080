"""The run directory: everything that a run reads and writes, and which of its stages are done."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import as_path, read_object, write_json, write_text
from duonas.core.plugin import blamed, is_plugin, parts_of_run
from duonas.core.processes import is_main_process
from duonas.core.text import listed
from duonas.recipe.locations import absolute, file_hashes, first_difference, gone, identity, same_places
from duonas.recipe.origin import run_parts
from duonas.recipe.read import dumps, load
from duonas.recipe.schema import Recipe, parse, plugin_hashes, to_tables
from duonas.rundir.environment import describe_environment
from duonas.rundir.lock import NAME as LOCK
from duonas.rundir.lock import lock_run
from duonas.rundir.log import RunLog
from duonas.rundir.paths import NETWORKS, RunPaths
from duonas.rundir.stages import Records, StageRecords
from duonas.rundir.tracker import make_trackers

CLASSES = "class_names"  # beside the hashes in splits.json


class RunFolder(RunPaths):
    """A run's folder: ``RunFolder(folder)`` reads it, ``RunFolder.open(folder, recipe)`` begins or resumes the run.

    A stage is done when ``stages.json`` lists it and all the files that it wrote are there with the checksums they had.
    A file that is missing has its stage done again; one that was changed is refused.

    Args:
        folder: an existing run.
        recipe: the run's recipe where its folder may not be there yet; read from the folder by default.

    Raises:
        DuonasError: the folder is not a run.
    """

    def __init__(self, folder: Path | str, recipe: Recipe | None = None) -> None:
        super().__init__(as_path(folder, "a run's folder"))
        if recipe is None and not self.recipe_file.is_file():
            raise DuonasError(f"{self.folder} is not a run: it holds no recipe.toml.")
        self._recipe = recipe
        self._held = ExitStack()  # the lock, and the own parts that may be loaded
        self._writes = False
        self._created: tuple[Path, ...] = ()  # the recipe and the folder where ``open`` made them
        self._stages = StageRecords(self)
        self._log = RunLog(self.log_file)

    @classmethod
    def open(cls, folder: Path | str, recipe: Recipe) -> RunFolder:
        """Make the run or go on with it, and lock it until ``close``, so that no other process writes to it.

        Under ``torchrun`` only rank 0 writes: in the others ``writes`` is false and every writing method does nothing.

        Args:
            folder: the run directory.
            recipe: what the run does.

        Raises:
            DuonasError: the folder holds something else or another recipe's run, its recipe or one of the own parts was
                edited since, or another process is writing to it.
        """
        folder = as_path(folder, "a run's folder")
        with parts_of_run(run_parts(folder, allowed=lambda name: True)):
            run = cls(folder, parse(to_tables(recipe)))  # a recipe built in Python is checked here
        try:
            if is_main_process():
                run._begin()
            else:
                run._held.enter_context(parts_of_run(run_parts(run.folder, allowed=lambda name: True)))
        except BaseException:
            run.close()
            raise
        return run

    def _begin(self) -> None:
        """Lock the folder, write what a new run begins with, and compare it with an existing one."""
        given, folder = self.recipe, self.folder
        created: tuple[Path, ...] = (folder,) if _create(folder) else ()
        self._held.callback(lock_run(folder).release)
        self._writes = True
        if not self.recipe_file.exists():
            created += (write_text(self.recipe_file, _written(given)),)
        self._created = created
        _remove_temporary_files(folder)
        self._recipe = None  # the one in the folder
        if not self.stages_file.exists():
            self.check_recipe(given)
            self._stages.begin(sources_of(given))
        self._held.enter_context(parts_of_run(run_parts(folder)))
        self.check_sources(sources_of(given))
        self.check_recipe(given)
        self._stages.check_recipe()
        self._note_environment()
        self._log.repair()
        self._log.track(make_trackers(given.trackers, self, identity(given)))

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if isinstance(error, SystemExit) and (where := blamed(error)):  # it must not end the program
            raise DuonasError(f"{where.removesuffix('.')}; a part must not end the program.") from error

    def close(self) -> None:
        """Release the folder."""
        self._log.close()
        self._writes = False
        self._held.close()

    @property
    def writes(self) -> bool:
        """Whether this process may write to the run."""
        return self._writes

    @property
    def recipe(self) -> Recipe:
        """The recipe that made this run."""
        if self._recipe is None:
            self._recipe = load(self.folder)
        return self._recipe

    @property
    def environment(self) -> dict[str, Any]:
        """Versions and hardware when the run was made; ``resumed_with`` lists later ones that differ."""
        return read_object(self.environment_file)

    @property
    def stages(self) -> Records:
        """Stage name to ``{"files": {path: SHA-256}, "seconds", "figures", "finished"}`` of what is done."""
        return self._stages.read()

    def is_done(self, stage: str) -> bool:
        """Whether ``stage`` and all its files are there.

        Raises:
            DuonasError: one of its files is not what the stage wrote.
        """
        return self._stages.is_done(stage)

    def start(self, stage: str) -> None:
        """Note that ``stage`` is being done, so that its old files, if any, no longer count."""
        if self.writes:
            self._check_folder()
            self._stages.start(stage)

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
        if self.writes:
            self._check_folder()
            self._stages.finish(stage, files, seconds, figures or {})

    def change(self, recipe: Recipe, stage: str | None = None) -> None:
        """Go on with another recipe that differs for ``stage`` and what follows it; all before it stays done.

        Neither of the two files that this writes is ever without the other: ``stages.json`` first names the recipe to
        come, so that a kill in between leaves a run that either recipe fits, its ``stage`` not done.
        """
        if not self.writes or self.recipe == recipe:
            return
        text, records = _written(recipe), self.stages
        if stage in records:
            records[stage]["stale"] = True
        self._stages.write(records, becoming=hashlib.sha256(text.encode()).hexdigest())
        write_text(self.recipe_file, text)
        self._stages.write(records)
        self._recipe = None

    def log(self, stage: str, **figures: Any) -> None:
        """Add a line to ``log.jsonl``; where it has a ``step``, its numbers also go to the recipe's trackers.

        The first step that a stage logs is where it was resumed: what a killed run had logged from there on is dropped.
        """
        if self.writes:
            self._log.add(stage, **figures)

    def read_log(self, stage: str | None = None) -> list[dict[str, Any]]:
        """The entries of ``log.jsonl``, oldest first; only those of ``stage`` where one is named."""
        return self._log.read(stage)

    def truncate_log(self, step: int, stage: str = "train") -> None:
        """Drop the entries of ``stage`` after ``step``."""
        if self.writes:
            self._log.truncate(stage, step)

    def hold_splits(self, hashes: Mapping[str, str], class_names: Sequence[str] = ()) -> None:
        """Store the splits' hashes and the names of the classes where the run is new; compare them where it is not.

        Raises:
            DuonasError: the run began with other images, so what was trained on could now be tested on, or a class had
                another name.
        """
        if self.splits.exists():
            known = read_object(self.splits)
            self._check_class_names(known.get(CLASSES, []), class_names)
            changed = [name for name in hashes if known.get(name) != hashes[name]]
            if changed:
                raise DuonasError(
                    f"the data changed since {self.folder} began (its {changed[0]} split is another one): put the old "
                    "images back, or start a new run with --out."
                )
        elif self.writes:
            write_json(self.splits, dict(hashes) | {CLASSES: list(class_names)})

    def split_hashes(self) -> dict[str, Any]:
        """The splits' hashes by name; as ``hold_splits`` stored them.

        Raises:
            DuonasError: the file that holds them is damaged.
        """
        known = read_object(self.splits)
        known.pop(CLASSES, None)
        return known

    def _check_class_names(self, before: Any, now: Sequence[str]) -> None:
        """Refuse other names than the run began with; a run of an earlier version noted none."""
        if not isinstance(before, list) or not before or not now or before == list(now):
            return
        lost = listed([repr(name) for name in before if name not in now], 3)
        new = listed([repr(name) for name in now if name not in before], 3)
        what = " and ".join(filter(None, [lost and f"{lost} is gone", new and f"{new} is new"])) or "another order"
        raise DuonasError(
            f"the names of the classes changed since {self.folder} began ({what}): undo that, or start a "
            "new run with --out."
        )

    def check_images(self, recipe: Recipe) -> None:
        """Say how to go on where the images that the run began with are not there any more.

        Raises:
            DuonasError: they are not.
        """
        place = gone(recipe) if self.splits.exists() else None
        if place is not None:
            raise DuonasError(
                f"the images of {self.folder} are not in {place.value} any more: put them back, or say where they are "
                f"now: duonas run {self.folder} --set {place.key}=FOLDER."
            )

    def relocate(self, recipe: Recipe) -> None:
        """Note where the images and other files are now, and the threads, if that is new; everything stays done.

        Args:
            recipe: a recipe of this run, whose images were compared by ``hold_splits``.
        """
        if self.writes and not same_places(self.recipe, recipe):
            self.change(absolute(recipe))

    def check_sources(self, sources: Mapping[str, str], instead: str = "start a new run with --out") -> None:
        """Compare the files that the recipe names with what they were when the run began.

        Args:
            sources: the SHA-256 of each file, as ``sources_of`` gives them.
            instead: what may be done other than putting the file back.

        Raises:
            DuonasError: one of them is another, so what is done may not fit it.
        """
        known = self._stages.sources
        for name, hashed in sources.items():
            if known.get(name, hashed) != hashed:
                what = f"{name} was edited after" if is_plugin(name) else f"the file of {name} is not that with which"
                raise DuonasError(
                    f"{what} {self.folder} began, so what is done may not fit it: put that file back, or {instead}."
                )

    def forget_if_new(self) -> None:
        """Remove what ``open`` wrote if it made the run, and the folder if it made that.

        So a corrected recipe can have the folder. Nothing can be written after this.
        """
        if not self.writes or self.recipe_file not in self._created:
            return
        begun = (self.recipe_file, self.stages_file, self.environment_file, self.splits, self.data, self.device)
        for file in (*begun, self.plan, self.pretrained, self.start_weights, self.given, self.warm, self.narrow):
            file.unlink(missing_ok=True)
        if self.folder in self._created and [path.name for path in self.folder.iterdir()] == [LOCK]:
            with suppress(OSError):  # on Windows nobody may remove an open file
                (self.folder / LOCK).unlink()
                self.folder.rmdir()

    def _check_folder(self) -> None:
        if not self.recipe_file.is_file():
            raise DuonasError(f"{self.folder} was removed or emptied while its run was going on: start the run again.")

    def check_recipe(self, recipe: Recipe) -> None:
        """Compare a recipe with the run's.

        Raises:
            DuonasError: they differ, and not only in where things are.
        """
        difference = first_difference(self.recipe, recipe)
        if difference is not None:
            key, there, here = difference
            raise DuonasError(
                f"{self.folder} was made by another recipe: {key} is {_shown(there)} there and {_shown(here)} here; "
                f"give another folder with --out, or go on with that one: duonas run {self.folder}."
            )

    def _note_environment(self) -> None:
        now = describe_environment()
        if not self.environment_file.exists():
            write_json(self.environment_file, now)
            return
        known = self.environment
        later = known.get("resumed_with", [])
        if not isinstance(later, list):
            raise DuonasError(f"{self.environment_file} is damaged: resumed_with is not a list.")
        if now not in [{key: value for key, value in known.items() if key != "resumed_with"}, *later]:
            write_json(self.environment_file, known | {"resumed_with": [*later, now]})


def sources_of(recipe: Recipe) -> dict[str, str]:
    """Return the SHA-256 of each file that a recipe names: the user's own parts by name, others by their key."""
    return plugin_hashes(recipe) | file_hashes(recipe)


def _create(folder: Path) -> bool:
    """Create the folder; return true if it is new."""
    try:
        if folder.exists() and not folder.is_dir():
            raise DuonasError(f"{folder} is a file: a run needs a folder of its own; give another with --out.")
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        # What a killed start can have left does not count, nor what a recipe was made of.
        strangers = [p.name for p in sorted(folder.iterdir()) if p.name not in (LOCK, NETWORKS) and p.suffix != ".part"]
    except OSError as error:
        raise DuonasError(f"cannot make a run in {folder}: {error.strerror or error}.") from error
    if strangers and "recipe.toml" not in strangers:
        raise DuonasError(f"{folder} is not empty and not a run (it holds {strangers[0]}): give another with --out.")
    return new


def _remove_temporary_files(folder: Path) -> None:
    """Remove the temporary files and folders that a killed process left."""
    for path in list(folder.rglob(".*.part")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _written(recipe: Recipe) -> str:
    header = "# What this run does, every default written out. To change something, edit a copy or use --set.\n"
    return header + dumps(recipe)


def _shown(value: Any) -> str:
    return "not set" if value is None else repr(value)
