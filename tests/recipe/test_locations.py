"""Where images and other files are is not a part of what a run is."""

from __future__ import annotations

from pathlib import Path

import pytest

from duonas.core.registry import names, options_of
from duonas.recipe.keys import keys
from duonas.recipe.locations import absolute, file_hashes, first_difference, gone, identity, rebased, same_places
from duonas.recipe.schema import Recipe, options_for
from duonas.recipe.tables import location_mark

OWN = """
from dataclasses import dataclass
from typing import Annotated

from duonas.core.fields import Location
from duonas.data.options import DataOptions
from duonas.data.source import Source


class Mine(Source):
    @dataclass(frozen=True)
    class Options(DataOptions):
        root: Annotated[str, Location()] = "here"
        shade: str = "grey"

    def list(self):
        raise NotImplementedError
"""


def folder_recipe(**keys):
    return Recipe(data={"name": "folder", "path": "photos", **keys})


def test_the_first_difference_has_both_values():
    assert first_difference(Recipe(), Recipe()) is None
    assert first_difference(Recipe(), Recipe(seed=1)) == ("seed", 0, 1)
    other = Recipe(search=options_for("search", constraints={"params": 5.0}))
    assert first_difference(Recipe(), other) == ("search.constraints.params", None, 5.0)
    assert first_difference(Recipe(), Recipe(train=options_for("train", epochs=1))) == ("train.epochs", 30, 1)
    assert first_difference(Recipe(), Recipe(route=options_for("route", floor=0.9))) == ("route.floor", None, 0.9)


@pytest.mark.parametrize("change", [{"path": "elsewhere"}, {"store": "disk"}, {"cache": "/tmp"}])
def test_where_the_images_are_is_no_difference(change):
    assert first_difference(folder_recipe(), folder_recipe(**change)) is None
    assert not same_places(folder_recipe(), folder_recipe(**change))
    assert first_difference(folder_recipe(), folder_recipe(image_size=8)) == ("data.image_size", None, 8)


def test_threads_are_no_difference_but_noted():
    assert first_difference(Recipe(), Recipe(threads=1)) is None
    assert not same_places(Recipe(), Recipe(threads=1)) and same_places(Recipe(threads=1), Recipe(threads=1))


def test_a_device_table_is_told_by_its_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    device = {"table": "a.csv"}
    recipe = Recipe(search={"device": device})
    assert file_hashes(recipe) == {}  # not there yet: the search says so
    Path("a.csv").write_text("block,latency_ms\n")
    known = file_hashes(recipe)
    Path("a.csv").rename("b.csv")
    device["table"] = "b.csv"
    assert file_hashes(Recipe(search={"device": device})) == known
    Path("b.csv").write_text("block,energy_mj\n")
    assert file_hashes(Recipe(search={"device": device})) != known
    assert "table" not in identity(recipe)["search"]["device"]
    words = [Recipe(search={"device": {"table": word}}) for word in ("here", "none")]
    assert first_difference(*words) == ("search.device.table", "here", "none")  # they are no places
    assert all(not file_hashes(each) and absolute(each) == each for each in words)


def test_a_run_as_a_network_is_told_by_the_bytes_of_its_networks(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name / "export").mkdir(parents=True)
        for role in ("little", "big"):
            (tmp_path / name / "export" / f"{role}.onnx").write_text(f"{role} of {name}")

    def hashes(folder):
        little = {"run": str(tmp_path / folder), "role": "little"}
        given = {"little": [little], "big": [{"file": str(tmp_path / "one/export/big.onnx")}]}
        return file_hashes(Recipe(pair={"given": given}))

    one, other = hashes("one"), hashes("other")
    assert set(one) == {f"pair.given.little.0.run/{role}.onnx" for role in ("little", "big")} | {
        "pair.given.big.0.file"
    }
    assert one == hashes("one/export") and one.keys() == other.keys() and one != other


def test_an_own_source_marks_its_own_locations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)
    ours, theirs = (Recipe(data={"name": "own.py:Mine", **more}) for more in ({}, {"root": "there"}))
    assert first_difference(ours, theirs) is None and gone(theirs).key == "data.root"
    other = Recipe(data={"name": "own.py:Mine", "shade": "red"})
    assert first_difference(ours, other) == ("data.shade", "grey", "red")


@pytest.mark.parametrize("name", names("source"))
def test_shipped_sources_mark_theirs(name):
    options = options_of("source", name)
    unmarked = [key.name for key in keys(options) if key.name in ("path", "cache", "store", "root", "folder")]
    assert all(location_mark(options, key) for key in unmarked)


def test_relative_paths_are_looked_up_where_the_run_began(tmp_path, monkeypatch):
    for place in ("first/photos", "second/photos", "elsewhere"):
        (tmp_path / place).mkdir(parents=True)
    first, second, recipe = tmp_path / "first", tmp_path / "second", folder_recipe(cache="cache")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert rebased(recipe, [tmp_path / "none", first, second]).data.path == str(first / "photos")
    assert rebased(recipe, [first], given=["data.path"]) == recipe  # given on the command line: from here
    assert rebased(recipe, [first], given=["data"]) == recipe  # as by --set 'data={ ... }'
    assert rebased(recipe, [tmp_path / "none"]) == recipe
    monkeypatch.chdir(first)
    assert rebased(recipe, [first, second]) == recipe
    assert gone(recipe) is None and gone(folder_recipe(path="no\0thing")).key == "data.path"
    assert gone(folder_recipe(path="x" * 5000)).key == "data.path"
    moved = absolute(recipe)
    assert moved.data.path == str(first / "photos") and same_places(moved, recipe) and moved != recipe
    assert moved.data.store == "memory"
