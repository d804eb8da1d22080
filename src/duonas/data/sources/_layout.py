"""The layouts of image folders: one folder a class, in one folder for all images or in one for each split."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from duonas.core.errors import DuonasError, nearest
from duonas.core.text import listed, plural
from duonas.data.listing import Listing, Problem, Skipped
from duonas.data.sources._split_names import split_folders, split_name, split_pairs
from duonas.data.sources._walk import OURS, Found, find_images, is_utf8, shown

AS_CLASSES = "set [data] layout = 'classes'"
SHOWN = 4  # names of folders in a message


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


@dataclass(frozen=True)
class Top:
    """A first folder.

    Args:
        name: its name.
        images: the images below it, relative to the data folder, sorted.
    """

    name: str
    images: list[Path]

    @property
    def depth(self) -> int:
        """How many folders are above its class folders, if it is a split: 2 for train/train/CLASS, as archives have."""
        inner = {path.parts[1] for path in self.images if len(path.parts) > 2}
        doubled = inner == {self.name} and any(len(path.parts) > 3 for path in self.images)
        return 2 if doubled else 1

    @property
    def names(self) -> set[str]:
        """The folders in it, in small letters: the names of classes, if it is a split."""
        depth = self.depth  # which looks at every image itself
        return {path.parts[depth].casefold() for path in self.images if len(path.parts) > depth + 1}

    @property
    def loose(self) -> list[Path]:
        """The images in it that are in none of these."""
        depth = self.depth
        return [path for path in self.images if len(path.parts) <= depth + 1]


def list_classes(root: Path, layout: str = "auto") -> Listing:
    """List the images of a folder by class and, where it has them, by split.

    The layouts are ``CLASS/*``, ``SPLIT/CLASS/*`` and ``CLASS/SPLIT/*``; images may lie deeper.

    Args:
        root: the folder.
        layout: ``"classes"``: its folders are classes, whatever they are called; ``"auto"``: it may have splits.

    Raises:
        DuonasError: no layout fits, more than one does, or there are fewer than two classes.
    """
    found = find_images(root)
    problems: list[Problem] = []
    members = _members(root, found, layout, problems)
    _check_names(root, members, problems)
    members = [member for member in members if is_utf8(member.folder)]
    _check_empty(root, found, members, problems)
    class_names = tuple(sorted({member.class_name for member in members if member.split not in ("val", "test")}))
    _check_count(root, class_names, layout)
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


def _members(root: Path, found: Found, layout: str, problems: list[Problem]) -> list[Member]:
    """The images in class folders; of others there is a warning."""
    loose = [path for path in found.images if len(path.parts) == 1]
    tops = [Top(name, list(paths)) for name, paths in groupby(found.images, lambda path: path.parts[0])]
    tops = [top for top in tops if len(top.images[0].parts) > 1]
    if layout == "classes":
        members = [Member(path, Path(top.name), "") for top in tops for path in top.images]
    elif splits := _splits(root, tops):
        members = _in_splits(root, tops, splits, problems)
        loose += [path for top in tops if top.name in splits for path in top.loose]
    else:
        members, unused = _in_classes(root, tops)
        _leave_out(root, unused, "no split", "beside split folders, but in none,", found, problems)
    _leave_out(root, loose, "no class", "in no class folder, so without a label,", found, problems)
    return members


def _leave_out(
    root: Path, images: Sequence[Path], kind: str, where: str, found: Found, problems: list[Problem]
) -> None:
    if images:
        are = "is" if len(images) == 1 else "are"
        message = f"{plural(len(images), 'image')} {where} {are} not used"
        problems.append(Problem(kind, message, tuple(shown(root / path) for path in images)))
        found.skipped += [Skipped(shown(root / path), where.split(",")[0]) for path in images]


def _splits(root: Path, tops: Sequence[Top]) -> dict[str, str]:
    """The first folders that are splits, with the split of each; empty where they are classes.

    A class that happens to be called train, beside others, is a class; but nothing is guessed where a folder that is
    named after a split holds folders, or where all hold folders of the same names.

    Raises:
        DuonasError: they could be either, or there are no class folders to train on.
    """
    _check_pairs(root, tops)
    splits = split_folders(top.name for top in tops)
    train = {name for top in tops if splits.get(top.name) == "train" for name in top.names}
    others = [top.name for top in tops if top.name not in splits]
    if train and not others:
        return splits
    if splits and not others:
        raise DuonasError(
            f"{root} has the folders {_listed(splits)}, which are named after splits, but no class folders to train "
            "on; expected train/CLASS/*.jpg (for labels in a table: [data] name = 'table'; if they are classes, "
            f"{AS_CLASSES})."
        )
    if any(train & top.names for top in tops if splits.get(top.name) in ("val", "test")):
        return splits
    for top in tops:
        if top.name in splits and len(top.loose) * 2 < len(top.images):
            raise DuonasError(
                f"{root / top.name} is named after a split and holds folders ({_listed(top.names)}), but not all "
                f"folders beside it are splits ({_listed(others)}): name these train, val or test or move them "
                f"elsewhere; if all are classes, {AS_CLASSES}."
            )
    _check_alike(root, tops)
    return {}


def _check_pairs(root: Path, tops: Sequence[Top]) -> None:
    """Refuse folders such as cat_train, cat_test, dog_train and dog_test."""
    pairs = split_pairs(top.name for top in tops)
    if len(pairs) > 1:
        first = _listed(pairs[0])
        raise DuonasError(
            f"the folders {first} of {root} differ in the name of a split alone, and others do, too; expected "
            f"train/CLASS/*.jpg and test/CLASS/*.jpg (if each is a class, {AS_CLASSES})."
        )


def _check_alike(root: Path, tops: Sequence[Top]) -> None:
    """Refuse folders that all hold folders of the same names, which are no splits of classes."""
    if len(tops) < 2:
        return
    same = set.intersection(*(top.names for top in tops))
    if len(same) > 1 and not any(map(split_name, same)):
        raise DuonasError(
            f"all folders of {root} ({_listed([top.name for top in tops])}) hold folders of the same names "
            f"({_listed(same)}): if these are the classes, name the folders above train, val or test, or set data.path "
            f"to one of them; if {tops[0].name} is a class, {AS_CLASSES}."
        )


def _in_splits(root: Path, tops: Sequence[Top], splits: Mapping[str, str], problems: list[Problem]) -> list[Member]:
    """The images of ``SPLIT/CLASS/*``, also of ``SPLIT/SPLIT/CLASS/*``."""
    for split in ("train", "val", "test"):
        same = [name for name, each in splits.items() if each == split]
        if len(same) > 1:
            raise DuonasError(f"{root} has both {' and '.join(same)}, which are names of one split; keep one of them.")
    members = []
    for top in tops:
        if top.name in splits:
            members += [
                Member(path, Path(*path.parts[: top.depth + 1]), splits[top.name])
                for path in top.images
                if len(path.parts) > top.depth + 1
            ]
        else:
            unused = tuple(shown(root / path) for path in top.images)
            message = f"the folder {shown(root / top.name)} is beside train, but no split: its images are not used"
            problems.append(Problem("not a split", message, unused))
    return members


def _in_classes(root: Path, tops: Sequence[Top]) -> tuple[list[Member], list[Path]]:
    """The images of ``CLASS/*``, or of ``CLASS/SPLIT/*``, and those that are then in no split.

    Raises:
        DuonasError: the split folders of all classes hold folders of the same names, so these are the classes.
    """
    members = [Member(path, Path(top.name), _second(path)) for top in tops for path in top.images]
    found = {member.split for member in members}
    if "train" not in found or not found & {"val", "test"}:
        return [replace(member, split="") for member in members], []
    below = [{path.parts[2] for path in top.images if _second(path) and len(path.parts) > 3} for top in tops]
    same = set.intersection(*below) if len(tops) > 1 else set()
    if len(same) > 1:
        raise DuonasError(
            f"all folders of {root} ({_listed([top.name for top in tops])}) hold splits of {_listed(same)}; did you "
            f"mean data.path = {str(root / tops[0].name)!r}? If {tops[0].name} is a class, {AS_CLASSES}."
        )
    return [member for member in members if member.split], [member.path for member in members if not member.split]


def _second(path: Path) -> str:
    """The split that the folder in a class folder is named after."""
    return split_name(path.parts[1]) if len(path.parts) > 2 else ""


def _listed(names: Iterable[str]) -> str:
    return listed(sorted(shown(Path(name)) for name in names), SHOWN)


def _check_names(root: Path, members: Iterable[Member], problems: list[Problem]) -> None:
    for folder in sorted({member.folder for member in members if not is_utf8(member.folder)}):
        message = f"the name of the class folder {shown(root / folder)} is not UTF-8: rename it"
        problems.append(Problem("name", message, error=True))


def _check_empty(root: Path, found: Found, members: Sequence[Member], problems: list[Problem]) -> None:
    """Class folders without images; a folder that holds only runs of duonas is not one."""
    full = {member.folder for member in members}
    tops = {folder.parts[0]: len(folder.parts) for folder in full}
    depth = max(tops.values(), default=1)
    for folder in found.folders:
        if len(folder.parts) != tops.get(folder.parts[0], depth) or folder in full or not is_utf8(folder):
            continue
        if depth > 1 and folder.parts[0] not in tops and not split_name(folder.parts[0]):
            continue
        if _is_ours(root, folder, found):
            found.skipped.append(Skipped(shown(root / folder), OURS))
        else:
            inside = any(folder in path.parents for path in found.images)
            what = (
                "has images, but none in a split folder such as train"
                if inside
                else "is empty; expected images such as .png or .jpg in it"
            )
            message = f"the class folder {shown(root / folder)} {what}"
            problems.append(Problem("empty class", message, error=True))


def _is_ours(root: Path, folder: Path, found: Found) -> bool:
    """Whether a folder without images holds runs of duonas, or is what a removed run left."""
    left = folder.name == "runs" and not any((root / folder).iterdir())
    return left or any(folder in ours.parents for ours in found.ours)


def _check_count(root: Path, class_names: Sequence[str], layout: str) -> None:
    if not class_names:
        raise DuonasError(f"{root} has no class folders; expected one subfolder of images per class.")
    if len(class_names) == 1:
        inner = _layout_within(root / class_names[0], layout)
        hint = f"; did you mean data.path = {str(inner)!r}?" if inner else "."
        raise DuonasError(f"{root} has only one class, {class_names[0]!r}; a classifier needs at least two{hint}")


def _layout_within(folder: Path, layout: str) -> Path | None:
    """The folder, or the only one in it, that has classes."""
    if not folder.is_dir():
        return None
    try:
        list_classes(folder, layout)
    except DuonasError:
        inner = find_images(folder).images
        tops = {path.parts[0] for path in inner if len(path.parts) > 1}
        return _layout_within(folder / tops.pop(), layout) if len(tops) == 1 else None
    return folder


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
