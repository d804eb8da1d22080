"""The layouts of image folders: one folder a class, in one folder for all images or in one for each split."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duonas.core.errors import DuonasError, nearest
from duonas.core.text import plural
from duonas.data.listing import Listing, Problem, Skipped
from duonas.data.sources._walk import OURS, Found, find_images, is_utf8, shown

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Member:
    """An image in a class folder.

    Args:
        path: relative to the data folder.
        folder: the class folder, relative.
        split: a split that the data set comes with, or ``""``.
    """

    path: Path
    folder: Path
    split: str

    @property
    def class_name(self) -> str:
        """The name of the folder; composed and decomposed spellings of a letter are one."""
        return unicodedata.normalize("NFC", self.folder.name)


def split_name(name: str) -> str:
    """The split that a folder, a file or a value is named after, in any case: train, val or test; else ``""``."""
    return SPLIT_NAMES.get(name.strip().lower(), "")


def list_classes(root: Path) -> Listing:
    """List the images of a folder by class and, where it has them, by split.

    The layouts are ``CLASS/*``, ``SPLIT/CLASS/*`` and ``CLASS/SPLIT/*``; images may lie deeper.

    Raises:
        DuonasError: no layout fits, or there are fewer than two classes.
    """
    found = find_images(root)
    problems: list[Problem] = []
    members = _members(root, found, problems)
    _check_names(root, members, problems)
    members = [member for member in members if is_utf8(member.folder)]
    _check_empty(root, found, members, problems)
    class_names = tuple(sorted({member.class_name for member in members if member.split not in ("val", "test")}))
    _check_count(root, class_names, members)
    _check_known(root, members, class_names, problems)
    _check_spellings(root, members, problems)
    numbers = {name: number for number, name in enumerate(class_names)}
    members = [member for member in members if member.class_name in numbers]
    return Listing(
        names=[shown(root / member.path) for member in members],
        images=[root / member.path for member in members],
        labels=np.array([numbers[member.class_name] for member in members], np.int64),
        splits=np.array([member.split for member in members], object),
        class_names=class_names,
        root=root,
        skipped=tuple(found.skipped),
        problems=tuple(problems),
    )


def _members(root: Path, found: Found, problems: list[Problem]) -> list[Member]:
    """The images in class folders; of others there is a warning."""
    loose = [path for path in found.images if len(path.parts) == 1]
    inside = [path for path in found.images if len(path.parts) > 1]
    if _is_split(root, inside):
        members, more = _in_splits(root, inside, problems)
        loose += more
    else:
        members = _in_classes(inside)
    if loose:
        are = "is" if len(loose) == 1 else "are"
        message = f"{plural(len(loose), 'image')} in no class folder, so without a label, {are} not used"
        problems.append(Problem("no class", message, tuple(shown(root / path) for path in loose)))
        found.skipped += [Skipped(shown(root / path), "in no class folder") for path in loose]
    return members


def _is_split(root: Path, images: Sequence[Path]) -> bool:
    """Whether the first folders are splits: a class that happens to be called train, beside others, is a class.

    Raises:
        DuonasError: all folders are named after splits, but there are no class folders to train on.
    """
    classes: dict[str, set[str]] = defaultdict(set)
    for path in images:
        classes[path.parts[0]] |= {path.parts[1]} if len(path.parts) > 2 else set()
    train = {name for top, names in classes.items() if split_name(top) == "train" for name in names}
    others = [top for top in classes if not split_name(top)]
    if train and not others:
        return True
    if classes and not others:
        tops = " and ".join(sorted(classes))
        raise DuonasError(
            f"{root} has the folders {tops}, which are named after splits, but no class folders to train on; expected "
            "train/CLASS/*.jpg (for labels in a table: [data] name = 'table')."
        )
    return any(train & names for top, names in classes.items() if split_name(top) in ("val", "test"))


def _in_splits(root: Path, images: Sequence[Path], problems: list[Problem]) -> tuple[list[Member], list[Path]]:
    """The images of ``SPLIT/CLASS/*``, and those in no class folder."""
    tops = sorted({path.parts[0] for path in images})
    for split in ("train", "val", "test"):
        same = [top for top in tops if split_name(top) == split]
        if len(same) > 1:
            raise DuonasError(f"{root} has both {' and '.join(same)}, which are names of one split; keep one of them.")
    for top in tops:
        if not split_name(top):
            unused = [shown(root / path) for path in images if path.parts[0] == top]
            message = f"the folder {shown(root / top)} is beside train, but no split: its images are not used"
            problems.append(Problem("not a split", message, tuple(unused)))
    chosen = [path for path in images if split_name(path.parts[0])]
    members = [Member(path, Path(*path.parts[:2]), split_name(path.parts[0])) for path in chosen if len(path.parts) > 2]
    return members, [path for path in chosen if len(path.parts) == 2]


def _in_classes(images: Sequence[Path]) -> list[Member]:
    """The images of ``CLASS/*``, or of ``CLASS/SPLIT/*`` where all class folders have splits and no other images."""
    inner: dict[str, set[str]] = defaultdict(set)
    for path in images:
        inner[path.parts[0]].add(split_name(path.parts[1]) if len(path.parts) > 2 else "")
    split = all("train" in names and "" not in names for names in inner.values())
    return [Member(path, Path(path.parts[0]), split_name(path.parts[1]) if split else "") for path in images]


def _check_names(root: Path, members: Iterable[Member], problems: list[Problem]) -> None:
    for folder in sorted({member.folder for member in members if not is_utf8(member.folder)}):
        message = f"the name of the class folder {shown(root / folder)} is not UTF-8: rename it"
        problems.append(Problem("name", message, error=True))


def _check_empty(root: Path, found: Found, members: Sequence[Member], problems: list[Problem]) -> None:
    """Class folders without images; a folder that holds only runs of duonas is not one."""
    full = {member.folder for member in members}
    depth = 2 if any(len(folder.parts) == 2 for folder in full) else 1
    for folder in found.folders:
        if len(folder.parts) != depth or folder in full or not is_utf8(folder):
            continue
        if depth == 2 and not split_name(folder.parts[0]):
            continue
        if _is_ours(root, folder, found):
            found.skipped.append(Skipped(shown(root / folder), OURS))
        else:
            message = f"the class folder {shown(root / folder)} is empty; expected images such as .png or .jpg in it"
            problems.append(Problem("empty class", message, error=True))


def _is_ours(root: Path, folder: Path, found: Found) -> bool:
    """Whether a folder without images holds runs of duonas, or is what a removed run left."""
    left = folder.name == "runs" and not any((root / folder).iterdir())
    return left or any(folder in ours.parents for ours in found.ours)


def _check_count(root: Path, class_names: Sequence[str], members: Sequence[Member]) -> None:
    if not class_names:
        raise DuonasError(f"{root} has no class folders; expected one subfolder of images per class.")
    if len(class_names) == 1:
        deeper = {member.path.parts[1] for member in members if len(member.path.parts) > 2 and not member.split}
        hint = f"; did you mean data.path = {str(root / class_names[0])!r}?" if len(deeper) > 1 else ""
        raise DuonasError(f"{root} has only one class, {class_names[0]!r}; a classifier needs at least two{hint}.")


def _check_known(root: Path, members: Iterable[Member], class_names: Sequence[str], problems: list[Problem]) -> None:
    unknown: dict[Path, list[str]] = defaultdict(list)
    for member in members:
        if member.class_name not in class_names:
            unknown[member.folder].append(shown(root / member.path))
    for folder, names in unknown.items():
        message = f"{shown(root / folder)} is not a class of the train folder: {nearest(folder.name, class_names)}"
        problems.append(Problem("unknown class", message, tuple(names), error=True))


def _check_spellings(root: Path, members: Iterable[Member], problems: list[Problem]) -> None:
    """Folders of one split whose names look the same."""
    spelled: dict[tuple[str, str], set[Path]] = defaultdict(set)
    for member in members:
        spelled[member.split, member.class_name].add(member.folder)
    for (_, name), folders in spelled.items():
        if len(folders) > 1:
            message = f"{len(folders)} folders are called {name!r}, in other code points: they are taken for one class"
            problems.append(Problem("same name", message, tuple(shown(root / folder) for folder in sorted(folders))))
