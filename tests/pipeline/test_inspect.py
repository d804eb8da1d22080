"""What is known of the images before any training, from Python and in a run."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

import duonas
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.progress import Silent
from duonas.pipeline import stages


class Heard(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.notes, self.warnings = [], []

    def note(self, text):
        self.notes.append(text)

    def warn(self, sentence):
        self.warnings.append(sentence)


@pytest.fixture
def pictures(tmp_path):
    """Two classes of noise, 30 images each."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(0, 256, (20, 24, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number:02}.png")
    return tmp_path / "pictures"


def recipe(pictures, *overrides):
    where = ["data.name=folder", f"data.path={pictures}", "data.image_size=8", "data.val=0.2", "data.calib=0.2"]
    return duonas.load_recipe("digits", [*where, *overrides])


def test_the_report_is_that_of_the_folder(pictures):
    shutil.copy(pictures / "cat" / "00.png", pictures / "dog" / "copy.png")
    report = duonas.inspect(recipe(pictures))
    assert report.class_names == ("cat", "dog") and report.whole.counts == (30, 31)
    assert report.whole.total.sizes == {(24, 20): 61} and report.root == pictures
    assert sum(part.images for part in report.splits.values()) == 61
    assert {each.kind for each in report.warnings} >= {"two classes", "few images"} and not report.errors
    (copies,) = report.copies
    assert set(copies.names) == {"cat/00.png", "dog/copy.png"} and copies.same_bytes
    assert "cat/00.png" in str(report) and f"folder: {pictures}" in str(report)


def test_the_splits_of_the_report_are_those_of_the_run(pictures):
    from duonas.data.splits import load_splits

    mine = recipe(pictures)
    splits, report = load_splits(mine.data, mine.seed), duonas.inspect(mine)
    for name, part in report.splits.items():
        assert part.counts == tuple(np.bincount(getattr(splits, name).labels.numpy(), minlength=2))


def test_errors_are_reported_all_at_once_where_a_run_stops(pictures, tmp_path):
    for name in ("cat/01.png", "dog/07.png"):
        (pictures / name).write_bytes(b"no image")
    report = duonas.inspect(recipe(pictures))
    assert [(each.kind, len(each.names)) for each in report.errors] == [("broken", 2)]
    with pytest.raises(DuonasError, match=r"cat/01\.png.*dog/07\.png"):
        duonas.run(recipe(pictures), tmp_path / "run")
    assert not (tmp_path / "run" / "data.json").exists()
    skipping = recipe(pictures, "data.on_error=skip")
    report = duonas.inspect(skipping)
    assert not report.errors and report.whole.images == 58 and "broken" in {each.kind for each in report.warnings}


def test_a_run_says_and_stores_what_it_trains_on_before_it_does(pictures, tmp_path, monkeypatch):
    shutil.copy(pictures / "cat" / "00.png", pictures / "cat" / "copy.png")
    heard, at_training = Heard(), []

    def train(context, progress):
        at_training.append((len(heard.notes), (context.run.folder / "data.json").exists()))
        return []

    monkeypatch.setitem(stages._WORK, "train", train)
    for _ in range(2):  # the second time it is known
        duonas.run(recipe(pictures), tmp_path / "run", until="train", progress=heard)
    assert at_training[0] == (1, True)
    (note,) = heard.notes
    assert "cat" in note and "24 x 20 (61)" in note
    found = read_json(tmp_path / "run" / "data.json")
    assert found == duonas.inspect(recipe(pictures)).to_json()
    assert len(heard.warnings) == len(found["problems"]) > 0
    assert any("cat/00.png" in warning and "cat/copy.png" in warning for warning in heard.warnings)


def test_what_is_no_recipe_is_refused():
    with pytest.raises(DuonasError, match="expected a recipe, got 'digits'"):
        duonas.inspect("digits")
