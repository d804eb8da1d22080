"""A kit has all that a device needs, whole or not at all, and the same bytes each time."""

from __future__ import annotations

import json
import runpy
import shutil
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

import duonas.deploy.kit
from duonas.core.errors import DuonasError
from duonas.core.files import checksum
from duonas.deploy.kit import _requirements, write_kit
from duonas.runtime import Bundle, BundleError
from duonas.runtime.check import check

OWN = {"README.md", "bench.py", "camera.py", "check.py", "kit.json", "requirements.txt", "runtime.txt"}
RUNTIME = "wheels/duonas-0.1.0+runtime-py3-none-any.whl"


@pytest.fixture(scope="module")
def bundle(export):
    return export(True, "after_little")[2]


@pytest.fixture(scope="module")
def written(bundle, tmp_path_factory):
    return write_kit(bundle, tmp_path_factory.mktemp("kits") / "kit.zip")


@pytest.fixture
def unpacked(written, tmp_path):
    shutil.unpack_archive(written.path, tmp_path)
    return tmp_path / "kit"


def test_a_kit_has_the_bundle_the_runtime_and_programs(written, bundle, unpacked):
    there = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert there == OWN | {RUNTIME} | {f"bundle/{path.name}" for path in bundle.iterdir()}
    assert written.files == len(there) and written.sha256 == checksum(written.path)
    assert written.tested.startswith("Self-test passed: on 20 stored images")
    assert all((unpacked / "bundle" / path.name).read_bytes() == path.read_bytes() for path in bundle.iterdir())
    assert Bundle.load(unpacked / "bundle").class_names == Bundle.load(bundle).class_names
    pinned = [f"numpy=={version('numpy')}", f"onnxruntime=={version('onnxruntime')}"]
    assert (unpacked / "requirements.txt").read_text().split() == pinned
    hashed = f"--hash=sha256:{checksum(unpacked / RUNTIME)}"
    assert (unpacked / "runtime.txt").read_text().split() == [f"./{RUNTIME}", hashed]
    page = (unpacked / "README.md").read_text()
    assert "{" not in page.replace("{[", "") and "12 x 12" in page and len(page.splitlines()) < 80


def test_the_versions_are_those_that_run_whatever_package_they_are_of(monkeypatch):
    """A package such as onnxruntime-gpu brings the module onnxruntime, too."""
    monkeypatch.setattr("onnxruntime.__version__", "1.32.0+cu12")
    assert _requirements([]).split() == [f"numpy=={version('numpy')}", "onnxruntime==1.32.0"]


def test_the_wheel_needs_numpy_and_onnx_runtime_only(unpacked):
    with zipfile.ZipFile(unpacked / RUNTIME) as wheel:
        names = wheel.namelist()
        metadata = wheel.read("duonas-0.1.0+runtime.dist-info/METADATA").decode()
    assert [line for line in metadata.splitlines() if line.startswith("Requires-Dist")] == [
        "Requires-Dist: numpy>=1.24", "Requires-Dist: onnxruntime>=1.15",
    ]  # fmt: skip
    assert "duonas/runtime/meters/powercap.py" in names and not any("__pycache__" in name for name in names)
    assert {name.split("/")[1] for name in names if name.startswith("duonas/")} == {
        "__init__.py", "__main__.py", "core", "py.typed", "runtime",
    }  # fmt: skip


def test_the_same_bundle_gives_the_same_bytes(written, bundle, tmp_path):
    assert write_kit(bundle, tmp_path / "again.zip").sha256 == written.sha256


def test_the_check_says_what_it_found(unpacked, bundle):
    said = list(check(unpacked))
    assert said[0].startswith(
        f"All {len(list(unpacked.rglob('*.*'))) - 1} files are those that the kit was written with"
    )
    assert said[2].startswith("Self-test passed") and list(check(bundle)) == said[1:]
    (unpacked / "bundle" / "golden.npz").unlink()
    with pytest.raises(BundleError, match=r"golden\.npz does not exist"):
        list(check(unpacked))


def test_a_bundle_that_is_damaged_or_computes_something_else_gives_no_kit(bundle, tmp_path):
    mine = shutil.copytree(bundle, tmp_path / "mine")
    (mine / "big.onnx").write_bytes(b"another")
    with pytest.raises(BundleError, match=r"big\.onnx is not the file that policy\.json was exported with"):
        write_kit(mine, tmp_path / "kit.zip")
    shutil.copy(bundle / "big.onnx", mine)
    policy = json.loads((bundle / "policy.json").read_text())
    (mine / "policy.json").write_text(json.dumps(policy | {"onnx": policy["onnx"] | {"a b.onnx": "0" * 64}}))
    with pytest.raises(DuonasError, match=r"a kit cannot hold a file named 'a b\.onnx'"):
        write_kit(mine, tmp_path / "kit.zip")
    with pytest.raises(DuonasError, match="cannot write"):
        write_kit(bundle, bundle / "policy.json" / "kit.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_wheels_are_brought_along_with_their_hashes(bundle, tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "numpy-2.4.6-cp311-cp311-manylinux_2_28_aarch64.whl").write_bytes(b"numpy")
    with pytest.raises(DuonasError, match="has no wheel of onnxruntime: fill it by pip download numpy onnxruntime"):
        write_kit(bundle, tmp_path / "kit.zip", folder)
    (folder / "onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_aarch64.whl").write_bytes(b"runtime")
    write_kit(bundle, tmp_path / "kit.zip", folder)
    shutil.unpack_archive(tmp_path / "kit.zip", tmp_path)
    lines = (tmp_path / "kit" / "requirements.txt").read_text().splitlines()
    assert [line.split(" ")[0] for line in lines] == [f"./wheels/{path.name}" for path in sorted(folder.iterdir())]
    assert all(checksum(tmp_path / "kit" / line.split(" ")[0]) == line.split("sha256:")[1] for line in lines)
    assert "--no-index --no-deps --require-hashes" in (tmp_path / "kit" / "README.md").read_text()
    (folder / "duonas-9-py3-none-any.whl").write_bytes(b"")
    with pytest.raises(DuonasError, match="the kit has its own of duonas"):
        write_kit(bundle, tmp_path / "kit.zip", folder)


def test_the_camera_takes_images_in_class_folders(tmp_path):
    program = runpy.run_path(str(Path(duonas.deploy.kit.__file__).parent / "carried" / "camera.py"))
    (tmp_path / "cats").mkdir()
    Image.new("RGB", (3, 2)).save(tmp_path / "cats" / "one.png")
    assert [(name, image.shape) for name, image in program["images_of"](tmp_path)] == [("cats/one.png", (2, 3, 3))]
