"""The files of a kit are compared before any is used, and what does not belong to it is found."""

from __future__ import annotations

import hashlib
import json

import pytest

from duonas.runtime.errors import BundleError
from duonas.runtime.kit import is_kit, open_kit

CONTENT = {"check.py": b"print()", "bundle/dynamic.onnx": b"model"}


@pytest.fixture
def kit(tmp_path):
    for name, data in CONTENT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    write(tmp_path)
    return tmp_path


def write(folder, **changed):
    files = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}
    manifest = {"kind": "kit", "version": 1, "duonas": "0.1.0", "files": files} | changed
    (folder / "kit.json").write_text(json.dumps(manifest))


def test_a_whole_kit_is_opened(kit):
    found = open_kit(kit)
    assert is_kit(kit) and not is_kit(kit / "bundle") and found.bundle == kit / "bundle" and len(found.files) == 2
    (kit / "notes.txt").write_text("mine")
    (kit / "env").mkdir()
    assert open_kit(kit) == found


@pytest.mark.parametrize("name", CONTENT)
def test_a_file_that_is_another_one_or_missing_is_named(kit, name):
    (kit / name).write_bytes(b"another")
    with pytest.raises(BundleError, match=f"{name} is not the file that the kit was written with: copy the kit again"):
        open_kit(kit)
    (kit / name).unlink()
    with pytest.raises(BundleError, match=f"{name} does not exist"):
        open_kit(kit)


@pytest.mark.parametrize("name", ["numpy.py", "onnxruntime/__init__.py", "json.so", "numpy.pyc"])
def test_what_python_would_import_instead_is_refused(kit, name):
    (kit / name).parent.mkdir(exist_ok=True)
    (kit / name).touch()
    with pytest.raises(BundleError, match="is not of the kit, but Python would import it: remove it"):
        open_kit(kit)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../b", "a/b/c", "a\\b", "C:x", "", ".", "..", ".ssh", "a\nb", "a/", "é", "-r"]
)
def test_a_manifest_names_no_file_outside(kit, name):
    write(kit, files={name: "0" * 64})
    with pytest.raises(BundleError, match=r"kit\.json is damaged: .* must be the name of a file of the kit"):
        open_kit(kit)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"files": {}}, "files must be an object of 1 to 200 files"),
        ({"files": {f"f{n}": "0" * 64 for n in range(201)}}, "files must be an object"),
        ({"files": {"check.py": "0"}}, "must be a SHA-256 in hex"),
        ({"kind": "device kit"}, "expected a kit of version 1"),
        ({"version": 2}, "expected a kit of version 1"),
        ({"duonas": 1}, "expected a text, got 1"),
    ],
)
def test_a_damaged_manifest_is_one_sentence(kit, changed, why):
    write(kit, **changed)
    with pytest.raises(BundleError, match=rf"kit\.json is damaged: .*{why}"):
        open_kit(kit)


def test_a_manifest_that_is_no_json_is_refused(kit):
    for data in (b"[" * 10_000, b"[]", b"\xff", b"{}", b" " * (2**20 + 1)):
        (kit / "kit.json").write_bytes(data)
        with pytest.raises(BundleError):
            open_kit(kit)
