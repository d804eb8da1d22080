"""The names that folders, files and values of a column have where they are splits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "eval": "val", "evaluation": "val",
    "test": "test", "tests": "test", "testing": "test", "holdout": "test",
}  # fmt: skip
FILLERS = ("set", "sets", "split", "data", "dataset", "images", "image", "imgs", "img")  # as in train_set


def split_name(name: str) -> str:
    """The split that a folder or a value is named after: train, val or test; else ``""``.

    Case does not matter, and neither do digits and words such as set or data: ``Train Set``, ``testset``, ``val2017``.
    """
    if found := SPLIT_NAMES.get(name.strip().lower(), ""):
        return found
    rest = [word for word in _words(name) if word not in FILLERS]
    return _of_word(rest[0]) if len(rest) == 1 else _of_word("".join(rest)) if rest == ["hold", "out"] else ""


def split_in_name(name: str) -> str:
    """The one split that is a word of a name, such as ``annotations_train``; ``""`` for none or several."""
    found = {split for word in _words(name) if (split := _of_word(word))} or {split_name(name)}
    return next(iter(found)) if len(found) == 1 else ""


def split_folders(names: Iterable[str]) -> dict[str, str]:
    """The folders of one folder that are named after splits, with the split of each.

    Where no train folder is among them, those whose names differ in a split alone are: seg_train and seg_test.
    """
    names = list(names)
    found = {name: split for name in names if (split := split_name(name))}
    if "train" in found.values():
        return found
    for group in split_pairs(names):
        found |= group
    return found


def split_pairs(names: Iterable[str]) -> list[dict[str, str]]:
    """Groups of names that differ in a split alone, one of them train: seg_train and seg_test; with the splits."""
    groups: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for name in names:
        words = _words(name)
        at = [i for i, word in enumerate(words) if _of_word(word)]
        if len(at) == 1 and len(words) > 1:
            rest = (*words[: at[0]], "", *words[at[0] + 1 :])
            groups[rest][name] = _of_word(words[at[0]])
    return [group for group in groups.values() if "train" in group.values() and len(set(group.values())) > 1]


def _words(name: str) -> list[str]:
    """The words of a name in small letters, also of trainLabels; without digits."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[\W\d_]+", apart.lower()) if word]


def _of_word(word: str) -> str:
    """The split of a word; also of testset."""
    return SPLIT_NAMES.get(word, "") or SPLIT_NAMES.get(word.removesuffix("set"), "")
