"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno

import pytest

from duonas.core.errors import DuonasError
from duonas.core.files import expand, read_json, write_atomic, write_json


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
