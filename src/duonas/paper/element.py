"""A table or figure of a paper: a TOML file that names studies and says how their runs are drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError, nearest
from duonas.core.files import as_path
from duonas.paper.drawing import Drawing
from duonas.paper.kinds import KINDS, find_kind
from duonas.paper.options import read_options
from duonas.recipe.read import read_tables
from duonas.recipe.study import Study, load_study

FOLDER = Path("benchmarks") / "paper-d"
KEYS = ("title", "section", "note", "studies", "parts")
OF_PARTS = ("title", "kind", "studies", "note", "missing")  # the other keys of a part are those of its kind


@dataclass(frozen=True)
class Part:
    """A part of a table or figure, such as that of one data set.

    Args:
        title: empty where there is only one.
        drawing: how it is drawn; ``None`` where it cannot be yet.
        studies: the names of the studies that it is drawn from.
        note: a sentence below it.
        missing: what duonas lacks for it, in words; empty if nothing.
    """

    title: str
    drawing: Drawing | None
    studies: tuple[str, ...]
    note: str
    missing: str


@dataclass(frozen=True)
class Element:
    """A table, figure or appendix.

    Args:
        name: that of its file, such as ``table-3``.
        title: what it shows.
        section: where in the paper it stands.
        note: a sentence on all of it.
        files: the studies by their names.
        parts: what is drawn.
    """

    name: str
    title: str
    section: str
    note: str
    files: Mapping[str, Path]
    parts: tuple[Part, ...]

    def studies(self, overrides: Iterable[str] = ()) -> dict[str, Study]:
        """Read its studies by name.

        Raises:
            DuonasError: one of them cannot be run.
        """
        overrides = tuple(overrides)
        return {name: load_study(path, overrides) for name, path in self.files.items()}

    def needed(self, studies: Mapping[str, Study], only: Sequence[str] = ()) -> dict[str, Study]:
        """Return what its parts need of its studies, by name: the variants and seeds whose runs they are drawn from.

        Args:
            studies: all of its studies.
            only: names of those that are wanted; by default all.

        Raises:
            DuonasError: there is none of a name.
        """
        for name in only:
            if name not in studies:
                raise DuonasError(f"{self.name} has no study {name!r}: {nearest(name, studies)}.")
        wanted = {name: self._wanted(name, study) for name, study in studies.items() if not only or name in only}
        return {name: study for name, study in wanted.items() if study is not None}

    def _wanted(self, name: str, study: Study) -> Study | None:
        """The variants and seeds of a study that any part needs; ``None`` if there are none."""
        parts = [part.drawing for part in self.parts if name in part.studies and part.drawing is not None]
        needed = [drawing.wanted(study) for drawing in parts if drawing.needs_runs]
        names = {variant.name for each in needed for variant in each.variants}
        return study.only(names, {seed for each in needed for seed in each.seeds}) if needed else None

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """What duonas lacks for its parts, in words."""
        return tuple(dict.fromkeys(part.missing for part in self.parts if part.missing))


def load_element(path: Path | str) -> Element:
    """Read a table or figure from TOML.

    Raises:
        DuonasError: the file cannot be read, or a key or value is wrong.
    """
    path = as_path(path, "a table or figure")
    tables = read_tables(path, "paper")
    several = tables.get("parts")
    if several is None:
        shared = {key: tables[key] for key in KEYS if key in tables and key != "parts"}
        several = [{key: value for key, value in tables.items() if key not in (*KEYS, "parts")}]
    else:
        shared = tables
    _check_keys(shared, KEYS, f"paper file {path}")
    files = _files(shared.get("studies", {}), path)
    if not isinstance(several, list) or not several or not all(isinstance(each, Mapping) for each in several):
        raise DuonasError(f"paper file {path}: parts must be tables, each headed by [[parts]].")
    return Element(
        path.stem, _text(shared, "title", path, path.stem), _text(shared, "section", path),
        _text(shared, "note", path), files,
        tuple(_part(each, files, f"paper file {path}") for each in several),
    )  # fmt: skip


def find_element(name: str, folder: Path) -> Path:
    """Return the file of a table or figure.

    Args:
        name: such as ``table-3``, or the path of a ``.toml`` file.
        folder: where the files are.

    Raises:
        DuonasError: there is none of this name.
    """
    if name.endswith(".toml"):
        if not Path(name).is_file():
            raise DuonasError(f"there is no paper file {name}.")
        return Path(name)
    known = {path.stem: path for path in elements_of(folder)}
    if name not in known:
        raise DuonasError(f"there is no table or figure {name!r} in {folder}: {nearest(name, known)}.")
    return known[name]


def elements_of(folder: Path) -> list[Path]:
    """Return the files of all tables and figures of a folder, tables first, then figures and appendices.

    Raises:
        DuonasError: there is no such folder, or it has none.
    """
    found = sorted(folder.glob("*.toml"), key=_place) if folder.is_dir() else []
    if not found:
        raise DuonasError(
            f"there are no tables and figures in {folder}: they come with the repository of duonas, not with the "
            "installed package. Run the command in a clone of it, or name their folder with --folder."
        )
    return found


def _place(path: Path) -> tuple[int, str, int, str]:
    """Order names by their kind, then by number: ``table-2`` before ``table-10``."""
    kind, _, rest = path.stem.partition("-")
    order = ("table", "figure", "appendix")
    number = re.match(r"\d+", rest)
    return order.index(kind) if kind in order else len(order), kind, int(number[0]) if number else 0, rest


def _part(table: Mapping[str, Any], files: Mapping[str, Path], where: str) -> Part:
    title, missing = (_text(table, key, where) for key in ("title", "missing"))
    where = f"{where}, part {title!r}" if title else where
    named = table.get("studies", list(files))
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise DuonasError(f"{where}: studies must be a list of names, got {named!r}.")
    for name in named:
        if name not in files:
            hint = f": {nearest(name, files)}" if files else ""
            raise DuonasError(f"{where}: there is no study {name!r} in its [studies]{hint}.")
    options = {key: value for key, value in table.items() if key not in OF_PARTS}
    if missing and "kind" not in table:
        _check_keys(options, OF_PARTS, where)
        return Part(title, None, (), _text(table, "note", where), missing)
    if "kind" not in table:
        raise DuonasError(f"{where}: it has no kind: expected one of {', '.join(sorted(KINDS))}.")
    drawing = read_options(find_kind(str(table["kind"]), where), options, where, OF_PARTS)
    return Part(title, drawing, tuple(named), _text(table, "note", where), missing)


def _files(table: Any, path: Path) -> dict[str, Path]:
    if not isinstance(table, Mapping) or not all(isinstance(value, str) for value in table.values()):
        raise DuonasError(f'paper file {path}: [studies] must name files, as "CIFAR-10" = "studies/mine.toml".')
    found = {str(name): path.parent / value for name, value in table.items()}
    stems = [each.stem for each in found.values()]
    if len(set(stems)) < len(stems):
        raise DuonasError(f"paper file {path}: two of its studies have one file name, and would have one folder.")
    return found


def _text(table: Mapping[str, Any], key: str, where: Path | str, default: str = "") -> str:
    value = table.get(key, default)
    if not isinstance(value, str):
        raise DuonasError(f"{where}: {key} must be text, got {value!r}.")
    return value.strip()


def _check_keys(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise DuonasError(f"{where} has no key {key!r}: {nearest(key, known)}.")
