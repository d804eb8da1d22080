"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
import os

import pytest

from duonas.core.errors import DuonasError
from duonas.core.files import expand, read_json, restored, write_atomic, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = write_json(tmp_path / "a.json", {"x": 1})

    def full_disk(temporary):
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DuonasError, match=r"cannot write .*a\.json: No space left on device"):
        write_atomic(path, full_disk)
    assert read_json(path) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_missing_and_broken_json_are_named(tmp_path):
    with pytest.raises(DuonasError, match="does not exist"):
        read_json(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DuonasError, match=r"bad\.json is damaged"):
        read_json(tmp_path / "bad.json")


def test_a_home_directory_is_put_in_and_a_missing_user_named(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert str(expand("~/x", "[data] path")) == "/home/me/x" and str(expand("x/~", "[data] path")) == "x/~"
    with pytest.raises(DuonasError, match=r"\[data\] path = '~nouser/x': the user 'nouser' does not exist"):
        expand("~nouser/x", "[data] path")
    with pytest.raises(DuonasError, match=r"\[data\] path is empty: expected a path"):
        expand("", "[data] path")


@pytest.mark.parametrize("links", [True, False])
def test_what_a_failed_block_replaced_made_or_removed_is_put_back(tmp_path, monkeypatch, links):
    if not links:

        def refused(*_):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refused)
    one, two, new, folder, fresh = (tmp_path / name for name in ("one", "two", "new", "folder", "fresh"))
    one.write_text("1")
    two.write_text("2")
    folder.mkdir()
    (folder / "inside").write_text("3")

    def change():
        write_text(one, "changed")
        two.unlink()
        write_text(new, "new")
        write_text(folder / "inside", "changed")
        write_text(folder / "more", "new")
        fresh.mkdir()

    paths = (one, two, new, folder, fresh)
    with pytest.raises(DuonasError, match="later"), restored(paths, tmp_path):
        change()
        raise DuonasError("later")
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "folder"}
    assert [one.read_text(), two.read_text()] == ["1", "2"]
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("inside", "3")]
    with restored(paths, tmp_path):
        change()
    assert one.read_text() == "changed" and (folder / "more").exists() and not two.exists()
    assert not list(tmp_path.glob("*.part"))
