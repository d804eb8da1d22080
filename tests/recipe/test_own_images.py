"""Which recipe is for images of one's own, and how they are given."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import duonas
from duonas.core.errors import DuonasError
from duonas.pretrained.sources import PACKAGES
from duonas.recipe import own_images
from duonas.recipe.read import load


@pytest.fixture(autouse=True)
def weights(monkeypatch):
    """Whether packages of pretrained weights are installed; they are."""
    found = {"found": True}
    monkeypatch.setattr(own_images, "find_spec", lambda name: found["found"] or None)
    return found


def chosen(images=None, *overrides, **keys):
    """Image size, preset and what is said of the choice."""
    said = []
    recipe = load("own-images", overrides, images=images, note=said.append, **keys)
    assert recipe.data.image_size in (32, 64, 128, 224)
    return recipe.data.image_size, recipe.space.preset, *said


@pytest.mark.parametrize(
    ("size", "side", "preset"),
    [
        ((28, 28), 32, "fast-32"),
        ((47, 600), 32, "fast-32"),
        ((48, 64), 64, "fast-64"),
        ((95, 95), 64, "fast-64"),
        ((130, 96), 128, "efficientnet-lite2"),
        ((900, 700), 128, "efficientnet-lite2"),
    ],
)
def test_the_short_side_decides(make_folder, size, side, preset):
    folder = make_folder({"a": 4, "b": 5}, size=size)
    found = chosen(folder)
    assert found[:2] == (side, preset)
    assert found[2].startswith(
        f"recipe own-images-{side}: the short sides of the images have a median of {min(size)} pixels"
    )
    assert ("own-images-224, which sees more of them, is for a GPU" in found[2]) == (min(size) >= 192)
    gpu = chosen(folder, "train.accelerator=cuda")
    assert gpu[:2] == ((224, preset) if min(size) >= 192 else (side, preset))


def test_a_table_with_images_inside_is_looked_at_too(tmp_path):
    file = io.BytesIO()
    Image.fromarray(np.zeros((50, 70, 3), np.uint8)).save(file, "PNG")
    pq.write_table(
        pa.table({"image": [{"bytes": file.getvalue(), "path": None}] * 8, "label": [0, 1] * 4}),
        tmp_path / "all.parquet",
    )
    recipe = load("own-images", images=tmp_path / "all.parquet")
    assert (recipe.data.name, recipe.data.image_size) == ("table", 64)


def test_broken_images_do_not_count_and_are_left_to_the_report(make_folder):
    folder = make_folder({"a": 4, "b": 4}, size=(60, 60))
    for path in (folder / "a").iterdir():
        path.write_bytes(b"text")
    assert chosen(folder)[0] == 64
    for path in (folder / "b").iterdir():
        path.write_bytes(b"text")
    assert "none of them can be read" in chosen(folder)[2]


def test_without_weights_the_small_networks_are_taken(make_folder, weights):
    assert {name.module for name in PACKAGES.values()} >= set(own_images.WEIGHTS)
    weights["found"] = False
    assert chosen(make_folder({"a": 4, "b": 4}, size=(60, 60)))[:2] == (64, "fast-64")
    side, preset, said = chosen(make_folder({"a": 4, "b": 4}, under="more", size=(100, 130)).joinpath("more"))
    assert (side, preset) == (128, "fast-128") and said.endswith("pip install 'duonas[weights]'.")
    assert own_images.choose({"image_size": 224}, gpu=True)[0] == "own-images-128-fast"


def test_an_image_size_that_is_given_decides_instead(tmp_path):
    for side, size in ((30, 32), (64, 64), (100, 128), (300, 224)):
        assert own_images.choose({"name": "folder", "image_size": side}, gpu=False)[0] == f"own-images-{size}"


def test_minutes_and_images_are_good_for_any_recipe(make_folder):
    folder = make_folder({"a": 4, "b": 4})
    recipe = duonas.load_recipe("quickstart", ["data.val=0.3"], images=folder, minutes=30)
    assert (recipe.data.name, recipe.data.path, recipe.budget.minutes) == ("folder", str(folder), 30)
    assert recipe.data.val == 0.3
    text = duonas.load_recipe("digits", images=str(folder), minutes="7.5")
    assert (text.data.path, text.budget.minutes) == (str(folder), 7.5)


@pytest.mark.parametrize(
    "name", ["2024", "true", "[1]", "with 'quotes' \"and\" \\ more", "ümläut", "photos \U0001f600", "del\x7f"]
)
def test_a_folder_of_any_name_is_taken_as_it_is(make_folder, tmp_path, monkeypatch, name):
    make_folder({"a": 4, "b": 4}).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert load("digits", images=name).data.path == name


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "recipe own-images needs your images: --images FOLDER, a folder with a subfolder of images per class"),
        ({"images": "none"}, "--images none does not exist: expected a folder"),
        ({"overrides": ["data.pth=x"]}, r"--set data.pth=x: \[data\] has no key 'pth'"),
        ({"overrides": ["data.name=digits", "train=5"]}, r"--set train=5: \[train\] must be a table"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, monkeypatch, keys, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DuonasError, match=message):
        load("own-images", **keys)


def test_minutes_that_are_none_are_refused(make_folder):
    for minutes in (0, "soon"):
        with pytest.raises(DuonasError, match=r"\[budget\] minutes must be"):
            load("digits", minutes=minutes)


def test_a_study_needs_one_of_them(tmp_path):
    (tmp_path / "study.toml").write_text('base = "own-images"\n[variants.a]\n')
    with pytest.raises(DuonasError, match="'own-images' stands for several recipes: give one of them, such as"):
        duonas.load_study(tmp_path / "study.toml")
