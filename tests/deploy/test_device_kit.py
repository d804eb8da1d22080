"""A device kit has all that a device needs, whole or not at all."""

from __future__ import annotations

import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest

from duonas.core.errors import DuonasError
from duonas.costs.device_table import block_text
from duonas.costs.distinct import distinct_blocks
from duonas.deploy import device_kit as kits
from duonas.deploy.device_kit import write_kit
from duonas.runtime.device_kit import Manifest, Settings


def run(path, **given):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, given)


def test_a_kit_has_every_block_and_networks_of_them(kit, kit_source):
    manifest = Manifest.load(kit)
    assert {each.block for each in manifest.blocks} == {block_text(each) for each in distinct_blocks(kit_source.pairs)}
    assert {each.use for each in manifest.networks} == {"fit", "check"}
    network = manifest.networks[-1]
    single = [len(onnx.load(kit / manifest.blocks[place].file).graph.node) for place in network.blocks]
    assert len(onnx.load(kit / network.file).graph.node) == sum(single) - 1  # images are divided within the stem


def test_a_routed_pair_answers_by_its_networks(kit):
    image = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    pairs = Manifest.load(kit).pairs
    assert len(pairs) == 2 and {pair.router for pair in pairs} == {"margin@after_little"}
    for pair in pairs:
        for tau, alone in ((-np.inf, pair.little), (np.inf, pair.big)):
            (expected,) = run(kit / alone, images=image)
            found = run(kit / pair.routed, images=image, tau=np.array(tau, np.float32))[0]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        assert pair.stem and run(kit / pair.stem, images=image)[0].shape == (1, 16, 8, 8)


def test_half_precision_converts_files_and_not_the_graphs_that_they_are_made_of(kit_source, tmp_path):
    writer = kits._Writer(kit_source, Settings(precision="fp16"), tmp_path)
    block = next(block for block in distinct_blocks(kit_source.pairs) if block.kind == "stem")
    before = writer.export(block).SerializeToString()
    path = tmp_path / writer._save("blocks/0.onnx", writer.export(block))
    assert run(path, entering=np.zeros((1, 3, 8, 8), np.float16))[0].dtype == np.float16
    assert writer.export(block).SerializeToString() == before


def test_the_program_is_the_runtime_alone(kit):
    names = zipfile.ZipFile(kit / "measure.pyz").namelist()
    assert {name.split("/")[1] for name in names if name.count("/") > 1} == {"runtime"}
    assert not any("__pycache__" in name for name in names)
    assert len((kit / "README.txt").read_text().splitlines()) == 5


def test_a_folder_that_holds_something_is_not_touched(kit_source, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DuonasError, match="exists already: give another folder"):
        write_kit(kit_source, Settings(), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupted_kit_leaves_nothing(kit_source, tmp_path):
    def stop(done, total, **_):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_kit(kit_source, Settings(), tmp_path / "kit", stop)
    assert list(tmp_path.iterdir()) == []
