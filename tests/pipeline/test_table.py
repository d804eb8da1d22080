"""The device table of a run: its copy prices with the same bits, whatever becomes of the file."""

from __future__ import annotations

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

import duonas
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.files import write_json
from duonas.core.progress import Silent
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.costs.block_table import write_block_table
from duonas.costs.distinct import distinct_blocks
from duonas.pipeline.table import priced
from duonas.rundir.folder import RunFolder
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201


@pytest.fixture(scope="module")
def pairs():
    return pair_space(MobileNet.space(MobileNet.Options(preset="digits"), 8, 10))


def table(pairs, path, share=1.0, column="latency_ms"):
    """Made-up times of some blocks."""
    rng = stream(0, "share")
    kept = [block for block in distinct_blocks(pairs) if rng.random() < share or block.kind == "input"]
    write_block_table(path, {block: {"latency_ms": 0.001 + block.macs / 50e6} for block in kept}, {"device": "a board"})
    path.write_text(path.read_text().replace("latency_ms", column))
    return f"search.device.table={path}"


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_run_goes_on_with_the_prices_that_it_began_with(share, pairs, tmp_path):
    """Also where blocks were fitted, and the file is gone; a copy says which table it is of."""
    file = tmp_path / "board.csv"
    recipe = duonas.load_recipe("digits", [table(pairs, file, share, "ms"), "search.device.latency=ms"])
    with RunFolder.open(tmp_path / "run", recipe) as run:
        before = priced(recipe, pairs, Silent(), run)
        file.unlink()
        after = priced(recipe, pairs, Silent(), run)
    assert after.origin() == before.origin() and after.origin()["path"] == str(file)
    assert after.origin()["device"] == "a board" and ("fitting" in after.origin()) == (share < 1)
    for seed in range(5):
        blocks = pairs.space.blocks(pairs.space.sample(stream(seed)))
        assert after(blocks) == before(blocks)
    with pytest.raises(DuonasError, match=r"\[search.device\] table: there is no file .*board.csv"):
        priced(recipe, pairs, Silent())


def test_a_run_keeps_a_table_of_networks(tmp_path):
    space = NasBench201.space(
        NasBench201.Options(channels=2, cells=1, axes={"operation": ["none", "nor_conv_3x3"]}), 8, 4
    )
    cells = pair_space(space)
    names, times = [space.text(arch) for arch in space.archs()], np.arange(1.0, 65.0).tolist()
    parquet.write_table(pyarrow.table({"cell": names, "ms": times}), tmp_path / "t.parquet")
    device = [f"search.device.table={tmp_path / 't.parquet'}", "search.device.latency=ms", "search.device.key=cell"]
    recipe = duonas.load_recipe("digits", device)
    with RunFolder.open(tmp_path / "run", recipe) as run:
        before = priced(recipe, cells, Silent(), run)
        (tmp_path / "t.parquet").unlink()
        after = priced(recipe, cells, Silent(), run)
    assert after.networks == before.networks and after.origin() == before.origin()
    assert after.origin()["path"] == str(tmp_path / "t.parquet")


def test_a_run_that_is_refused_leaves_no_copy(pairs, tmp_path):
    device = table(pairs, tmp_path / "board.csv")
    recipe = duonas.load_recipe("digits", [device, "search.constraints.peak_latency_ms=1e-6"])
    with pytest.raises(DuonasError, match="cannot be met: the fastest pair found needs"):
        duonas.run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_a_table_costs_are_counted(pairs, tmp_path):
    recipe = duonas.load_recipe("digits", ["search.device.table=none"])
    assert priced(recipe, pairs, Silent()) is analytic
    with pytest.raises(DuonasError, match=r"\[search.device\] path is called 'table' now: write table = 'x.csv'"):
        duonas.load_recipe("digits", ["search.device.path=x.csv"])


def test_a_run_of_an_earlier_version_stays_with_counted_costs(pairs, tmp_path):
    recipe = duonas.load_recipe("digits", [table(pairs, tmp_path / "board.csv")])
    with RunFolder.open(tmp_path / "run", recipe) as run:
        write_json(run.front, {"points": []})
        assert priced(recipe, pairs, Silent(), run) is analytic
