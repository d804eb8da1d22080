from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from duonas.runtime import Bundle, BundleError
from duonas.runtime.files import MOST_POLICY, check_model, check_out, read, write_whole


def sparse(path, size):
    """A file of ``size`` bytes that takes no room on the disk."""
    path.touch()
    os.truncate(path, size)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "policy.json"
    sparse(path, 3 * 2**30)
    with pytest.raises(BundleError, match=r"has 3,221,225,472 bytes, but at most 67,108,864 are possible"):
        Bundle.load(tmp_path)
    sparse(tmp_path / "dynamic.onnx", 2**31)
    with pytest.raises(BundleError, match=r"dynamic\.onnx has 2,147,483,648 bytes"):
        check_model(tmp_path, {})
    path.write_bytes(b"12345")
    assert read(path, 5) == b"12345"
    with pytest.raises(BundleError, match="has 5 bytes, but at most 4"):
        read(path, 4)


def test_what_is_no_file_is_not_opened(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    for name, kind in (("folder", "a folder"), ("pipe", "a pipe or device")):
        with pytest.raises(BundleError, match=f"{name} must be a file, but is {kind}"):
            read(tmp_path / name, MOST_POLICY)


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "\ud800"])
def test_a_path_that_cannot_be_is_told(path):
    with pytest.raises(BundleError, match=r"(cannot be read|does not exist)") as told:
        Bundle.load(path)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("folder", [None, 3, b"export", ["export"]])
def test_what_is_no_path_is_told(folder):
    with pytest.raises(BundleError, match="the folder of a bundle must be a path, got"):
        Bundle.load(folder)


def test_a_bundle_is_found_near_what_was_given(export, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(export(True, "after_little")[2], run / "export")
    for given in (run, run / "export" / "dynamic.onnx"):
        with pytest.raises(BundleError, match=rf"does not exist, .*: did you mean {run}/export\?$"):
            Bundle.load(given)
    with pytest.raises(BundleError, match=r"every exported bundle has one\.$"):
        Bundle.load(tmp_path)


def test_only_the_file_that_runs_is_read(tmp_path):
    """Others that a policy names may be large, or elsewhere."""
    graph = b"\x3a\x00"  # the least that is an ONNX file: an empty graph
    (tmp_path / "dynamic.onnx").write_bytes(graph)
    sparse(tmp_path / "big.onnx", 2**40)
    checksums = {"dynamic.onnx": hashlib.sha256(graph).hexdigest(), "big.onnx": "0" * 64}
    assert check_model(tmp_path, checksums) == tmp_path / "dynamic.onnx"
    for wrong in ({}, {"dynamic.onnx": "0" * 64}):
        with pytest.raises(BundleError, match="checksums differ, export again"):
            check_model(Path(tmp_path), wrong)


def test_a_file_that_cannot_be_written_is_refused_before(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe", "missing/out.json"):
        with pytest.raises(BundleError, match=r"--out .*: expected a file in a folder that exists"):
            check_out(tmp_path / name)
    check_out(tmp_path / "out.json")
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]
    monkeypatch.setattr(Path, "touch", unwritable)
    with pytest.raises(BundleError, match=r"--out .*out\.json cannot be written: Read-only file system"):
        check_out(tmp_path / "out.json")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "out.json", "before")
    monkeypatch.setattr(os, "fsync", unwritable)
    with pytest.raises(BundleError, match=r"cannot write .*out\.json: Read-only file system"):
        write_whole(path, "after")
    assert path.read_text() == "before" and [each.name for each in tmp_path.iterdir()] == ["out.json"]


def unwritable(*_):
    raise OSError(errno.EROFS, "Read-only file system")
