from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from duonas.core.errors import DuonasError
from duonas.data.sources.visual_wake_words import VisualWakeWords

Folder = Callable[..., Path]
PERSON, BICYCLE = 1, 2


def listed(path: Path | None, **keys: str):
    return VisualWakeWords(VisualWakeWords.Options(path=path and str(path), **keys)).list()


def test_a_person_counts_from_more_than_half_a_percent_of_the_image_on(make_coco: Folder) -> None:
    objects = [[(PERSON, 0.006)], [(PERSON, 0.005)], [(BICYCLE, 0.9)], [], [(PERSON, 0.001), (PERSON, 0.3)]]
    found = listed(make_coco({"train": objects, "val": [[], [(PERSON, 0.5)]]}))
    assert found.class_names == ("not-person", "person")
    assert found.labels.tolist() == [1, 0, 0, 0, 1, 0, 1]
    assert found.splits.tolist() == ["train"] * 5 + ["test"] * 2


def test_another_category_can_be_looked_for(make_coco: Folder) -> None:
    root = make_coco({"train": [[(PERSON, 0.5)], [(BICYCLE, 0.5)]], "val": [[]]})
    assert listed(root, category="bicycle").labels.tolist() == [0, 1, 0]
    with pytest.raises(DuonasError, match="no 'bicylce': did you mean 'bicycle'"):
        listed(root, category="bicylce")


def test_a_list_says_which_images_are_the_test_split(make_coco: Folder, tmp_path: Path) -> None:
    root = make_coco({"train": [[(PERSON, 0.5)], []], "val": [[], [(PERSON, 0.5)]]})
    (tmp_path / "ids.txt").write_text("4\n")
    assert listed(root, test_ids=str(tmp_path / "ids.txt")).splits.tolist() == ["train"] * 3 + ["test"]
    (tmp_path / "ids.txt").write_text("4\nfour\n")
    with pytest.raises(DuonasError, match="expected a number on each line"):
        listed(root, test_ids=str(tmp_path / "ids.txt"))


def test_the_edition_of_2014_is_read_too(make_coco: Folder) -> None:
    assert len(listed(make_coco({"train": [[(PERSON, 0.5)], []], "val": [[]]}, year="2014"))) == 3


def test_what_is_wrong_is_said(make_coco: Folder, tmp_path: Path) -> None:
    with pytest.raises(DuonasError, match=r"needs data\.path"):
        listed(None)
    with pytest.raises(DuonasError, match=r"is not a folder of COCO; expected annotations/instances_train2017\.json"):
        listed(tmp_path)
    root = make_coco({"train": [[], []], "val": [[]]})
    with pytest.raises(DuonasError, match="no image of the class 'person' to train on"):
        listed(root)
    annotations = root / "annotations" / "instances_train2017.json"
    annotations.write_text(json.dumps({"images": []}))
    with pytest.raises(DuonasError, match="expected the tables images, annotations, categories"):
        listed(root)
    annotations.write_text(json.dumps({"images": [{"id": 3}], "annotations": [], "categories": []}))
    with pytest.raises(DuonasError, match="is damaged: an entry lacks 'width'"):
        listed(root)
    annotations.write_text("{")
    with pytest.raises(DuonasError, match="cannot read"):
        listed(root)
