"""``duonas rank`` on a supernet of cells: what it writes, that it goes on, and what it refuses."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch
from pyarrow import parquet
from typer.testing import CliRunner

import duonas
from duonas.cli.app import app
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.pair import Subnet
from duonas.core.progress import Silent
from duonas.core.tensors import save_tensors
from duonas.pipeline.context import Context
from duonas.ranking.archs import chosen_archs
from duonas.rundir.folder import RunFolder
from duonas.search.evaluate import Evaluator

CELLS = ["space.name=nasbench201", "space.preset=nasbench201-small", "space.channels=4", "train.rule=uniform",
         "train.epochs=1", "search.recalibration_images=32"]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run whose supernet is trained, and a table of all its cells; not to be changed."""
    folder = tmp_path_factory.mktemp("ranked") / "run"
    duonas.run(duonas.load_recipe("digits", CELLS), folder, until="train")
    run = RunFolder(folder)
    space = Context(run.recipe, run).space
    convolutions = {space.text(arch): sum(choice > 2 for _, choice in arch.choices) for arch in space.archs()}
    made = {"arch": list(convolutions), "test_acc": [50.0 + 7 * n for n in convolutions.values()]}
    parquet.write_table(pyarrow.table(made), folder.parent / "table.parquet")
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of one's own."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def table(trained):
    return trained.parent / "table.parquet"


@pytest.fixture
def asked(monkeypatch):
    """The archs that a supernet was asked about, in order."""
    archs, evaluate = [], Evaluator.evaluate
    monkeypatch.setattr(Evaluator, "evaluate", lambda self, subnet: archs.append(subnet.arch) or evaluate(self, subnet))
    return archs


def rows(folder):
    return parquet.read_table(folder / "ranking" / "archs.parquet").to_pylist()


def test_each_arch_is_its_recalibrated_subnet_and_the_numbers_hang_together(run, table):
    found = duonas.rank(run, 30, table=duonas.RankTable(table, "test_acc"))
    assert found == read_json(run / "ranking" / "ranking.json")
    written, opened = rows(run), RunFolder(run)
    context = Context(opened.recipe, opened)
    for row in written[:3]:
        network = context.evaluator.network(Subnet(context.space.arch(cell=row["cell"])))
        right = context.evaluator.logits(network).argmax(1) == context.splits.val.labels.numpy()
        assert row["accuracy"] == right.mean()
        assert row["params"] == sum(weight.numel() for weight in network.parameters())
    ours, theirs = (np.array([row[name] for row in written]) for name in ("accuracy", "table"))
    assert found["archs"] == len(written) == 30 and found["images"] == len(context.splits.val)
    assert found["accuracy"]["mean"] == pytest.approx(ours.mean()) and found["accuracy"]["best"] == ours.max()
    assert found["table"]["same"]["mean"] == pytest.approx(theirs.mean())
    assert found["table"]["whole"]["archs"] == 15_625 and found["table"]["whole"]["best"] == pytest.approx(0.92)
    assert found["agreement"]["params"]["kendall"] > 0.5  # params grow with what the table's accuracy was made of
    assert {row["archs"] for row in found["agreement"].values()} == {30}
    assert [row["k"] for row in found["regret"]] == [1, 10]
    assert not (run / "logits").exists() and not list(run.rglob("*.part"))


def test_killed_and_called_again_is_never_killed_and_more_archs_only_add(run, table, tmp_path, asked):
    other = shutil.copytree(run, tmp_path / "other")
    duonas.rank(other, 12, table=duonas.RankTable(table, "test_acc"))
    asked.clear()

    class Killed(Silent):
        @contextmanager
        def stage(self, name):
            def told(done, total, **_):
                if done == 5:
                    raise KeyboardInterrupt

            yield told

    with pytest.raises(KeyboardInterrupt):
        duonas.rank(run, 12, table=duonas.RankTable(table, "test_acc"), progress=Killed())
    assert len(asked) == 5 and not (run / "ranking" / "ranking.json").exists()
    duonas.rank(run, 12, table=duonas.RankTable(table, "test_acc"))
    assert len(asked) == 12
    for name in ("archs.parquet", "ranking.json", "evaluated-val.parquet"):
        assert (run / "ranking" / name).read_bytes() == (other / "ranking" / name).read_bytes()
    first = rows(run)
    duonas.rank(run, 15, table=duonas.RankTable(table, "test_acc"))
    assert len(asked) == 15 and rows(run)[:12] == first


def test_the_runs_threads_are_the_rankings(trained, tmp_path, monkeypatch):
    threads, seen, evaluate = torch.get_num_threads() + 1, [], Evaluator.evaluate
    note = lambda self, subnet: seen.append(torch.get_num_threads()) or evaluate(self, subnet)  # noqa: E731
    monkeypatch.setattr(Evaluator, "evaluate", note)
    recipe = duonas.load_recipe("digits", [*CELLS, f"threads={threads}"])
    duonas.rank(duonas.run(recipe, tmp_path / "run", until="train", supernet=trained), 1)
    assert seen == [threads]


def untrained(folder, *overrides):
    """A run that counts as trained."""
    recipe = duonas.load_recipe("digits", ["search.recalibration_images=32", *overrides])
    with RunFolder.open(folder, recipe) as run:
        save_tensors(run.supernet, Context(recipe, run).fresh_supernet().state_dict(), {})
        run.finish("train", [run.supernet])
    return folder


@pytest.mark.parametrize(
    ("overrides", "split"),
    [
        (["pair.coupling=partial"], 1),
        pytest.param([*CELLS, "pair.coupling=sibling"], 0, marks=pytest.mark.slow),
        pytest.param(["pair.little_blocks=simple"], 0, marks=pytest.mark.slow),
    ],
)
def test_each_role_is_ranked_by_itself_and_keeps_what_it_knows(tmp_path, asked, overrides, split):
    folder = untrained(tmp_path / "run", *overrides)
    bigs = duonas.rank(folder, 3)
    kept = {path: path.read_bytes() for path in (folder / "ranking").iterdir()}
    littles = duonas.rank(folder, 3, role="little")
    assert kept == {path: path.read_bytes() for path in (folder / "ranking").iterdir() if path.is_file()}
    assert littles == read_json(folder / "ranking" / "little" / "ranking.json")
    assert (bigs["role"], littles["role"], littles["branches_off_after"]) == ("big", "little", split)
    written = parquet.read_table(folder / "ranking" / "little" / "archs.parquet").to_pylist()
    assert [row["arch"] for row in written] == [row["arch"] for row in rows(folder)]
    context = Context(RunFolder(folder).recipe, RunFolder(folder))
    network = context.evaluator.network(Subnet(chosen_archs(context.space, 3, 0)[0], "little", split))
    right = context.evaluator.logits(network).argmax(1) == context.splits.val.labels.numpy()
    assert written[0]["accuracy"] == right.mean()
    assert written[0]["params"] == sum(weight.numel() for weight in network.parameters())
    assert len(asked) == 6
    duonas.rank(folder, 3, role="little")
    assert len(asked) == 6


def test_a_role_without_subnets_of_its_own_is_refused(trained, asked):
    with pytest.raises(DuonasError, match="--role little: the pairs of this run are nested, so an arch is the same"):
        duonas.rank(trained, 3, role="little")
    assert asked == [] and not (trained / "ranking").exists()


def test_each_split_is_asked_by_itself_and_a_table_is_not_needed(run, asked):
    val, test = duonas.rank(run, 4), duonas.rank(run, 4, split="test")
    assert len(asked) == 8 and (val["images"], test["images"]) == (216, 359)
    assert val["table"] is None and val["regret"] == [] and set(val["agreement"]) == {"params", "macs", "layers"}
    assert "table" not in rows(run)[0]
    duonas.rank(run, 4)
    assert len(asked) == 8  # what val answered is still known


def test_a_change_of_the_batch_norms_images_is_a_new_question(trained, tmp_path, asked):
    recipe = duonas.load_recipe("digits", [*CELLS, "search.recalibration_images=64"])
    folder = duonas.run(recipe, tmp_path / "more", until="train", supernet=trained)
    shutil.copytree(trained, tmp_path / "run")
    duonas.rank(tmp_path / "run", 2)
    shutil.copytree(tmp_path / "run" / "ranking", folder / "ranking")
    duonas.rank(folder, 2)
    assert len(asked) == 4


def test_cells_of_a_file(run, table, tmp_path):
    cells = parquet.read_table(table)["arch"].to_pylist()[:3]
    (tmp_path / "cells.txt").write_text("\n".join(cells))
    found = duonas.rank(run, tmp_path / "cells.txt", table=duonas.RankTable(table, "test_acc"))
    assert [row["cell"] for row in rows(run)] == cells and found["archs"] == 3


def test_the_command_prints_every_tau_with_its_archs(run, table):
    args = ["rank", str(run), "--archs", "11", "--table", str(table), "--column", "test_acc"]
    result = CliRunner().invoke(app, args, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    found = read_json(run / "ranking" / "ranking.json")
    for figure in ("accuracy", "params", "macs"):
        assert f"{found['agreement'][figure]['kendall']:.4f}" in result.stdout
    assert "15,625" in result.stdout and "rank: done" in result.stdout and "best by the table" in result.stdout
    assert result.stdout.count(" 11") >= 5
    result = CliRunner().invoke(app, ["rank", str(run), "--archs", "2"], env={"COLUMNS": "200"})
    assert result.exit_code == 0 and "tells the accuracy" in result.stdout and "by the table" not in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--archs", "0"], "--archs must be a number above 0, 'all' or a file with an arch on each line, got 0."),
        (["--archs", "99999"], "search space 'nasbench201' has 15,625 archs, but 99,999 are to be drawn."),
        (["--archs", "al"], "there is no file al."),
        (["--split", "calib"], "archs cannot be ranked by split 'calib': did you mean 'val'?"),
        (["--role", "litle"], "archs cannot be ranked by role 'litle': did you mean 'little'?"),
        (["--predictors", "macs"], "--predictors macs needs a table: give --table FILE.parquet."),
        (["--column", "x"], "--column x needs a table: give --table FILE.parquet."),
        (["--table", "none.parquet", "--column", "x"], "--table: there is no file none.parquet."),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_evaluated(trained, asked, args, message):
    result = CliRunner().invoke(app, ["rank", str(trained), *args])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert message in result.stderr and asked == [] and not (trained / "ranking").exists()


def test_the_best_trivial_predictor_is_named(run, table):
    """The table's accuracies are made of the number of convolutions, so that counting these cannot be beaten."""
    named = "params,count:nor_conv_1x1+nor_conv_3x3,without:none"
    args = ["rank", str(run), "--archs", "12", "--table", str(table), "--column", "test_acc", "--predictors", named]
    result = CliRunner().invoke(app, args, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    found = read_json(run / "ranking" / "ranking.json")
    assert list(found["agreement"]) == ["accuracy", *named.split(",")]
    assert found["best_predictor"] == "count:nor_conv_1x1+nor_conv_3x3"
    assert found["agreement"][found["best_predictor"]]["kendall"] == pytest.approx(1)
    assert "ranks no better than the best trivial predictor" in " ".join(result.stdout.split())
    assert "is not checked: the table has no column 'params'" in " ".join(result.stderr.split())
    assert found["table"]["same_networks"] is None


def test_a_table_of_another_skeleton_is_refused_before_any_work(run, table, tmp_path, asked):
    wide = tmp_path / "wide.parquet"
    known = parquet.read_table(table)
    parquet.write_table(known.append_column("params", pyarrow.array([0.9] * len(known))), wide)
    with pytest.raises(
        DuonasError, match=r"wide.parquet holds networks of another skeleton: .* has 900,000 params, in"
    ):
        duonas.rank(run, 3, table=duonas.RankTable(wide, "test_acc"))
    assert asked == []
    assert duonas.rank(run, 3, table=duonas.RankTable(wide, "test_acc", any_skeleton=True))["archs"] == 3


def test_a_cell_that_the_table_lacks_is_named_before_any_work(run, table, tmp_path, asked):
    few = tmp_path / "few.parquet"
    parquet.write_table(parquet.read_table(table).slice(0, 100), few)
    with pytest.raises(DuonasError, match=r"few.parquet has no test_acc for \d+ of the 20 archs, such as '\|"):
        duonas.rank(run, 20, table=duonas.RankTable(few, "test_acc"))
    assert asked == []


def test_a_run_without_a_trained_supernet(trained, tmp_path, asked):
    folder = shutil.copytree(trained, tmp_path / "run", ignore=lambda *_: ["supernet.safetensors"])
    with pytest.raises(DuonasError, match="has no trained supernet yet: finish `duonas train"):
        duonas.rank(folder)
    with pytest.raises(DuonasError, match="is not a run"):
        duonas.rank(tmp_path)


def test_a_space_without_texts_is_ranked_but_not_against_a_table(tmp_path, table):
    recipe = duonas.load_recipe("digits", ["train.epochs=1", "search.recalibration_images=32"])
    folder = duonas.run(recipe, tmp_path / "sizes", until="train")
    with pytest.raises(
        DuonasError, match="'mobilenet' has no text for its archs, so they cannot be looked up in a table"
    ):
        duonas.rank(folder, 3, table=duonas.RankTable(table, "test_acc"))
    found = duonas.rank(folder, 3)
    assert found["archs"] == 3 and found["accuracy"]["best_cell"] is None


def test_an_own_space_whose_file_was_edited_is_refused(tmp_path, asked):
    """Its texts would no longer be those of what was evaluated."""
    file = tmp_path / "space.py"
    file.write_text((Path(__file__).parents[2] / "examples" / "own_space.py").read_text())
    folder = untrained(tmp_path / "run", f"space.name={file}:Plain")
    duonas.rank(folder, 2)
    file.write_text(file.read_text() + "\n# another text\n")
    with pytest.raises(DuonasError, match=r"space.py"):
        duonas.rank(folder, 2)
    assert len(asked) == 2


def test_several_processes_are_refused(trained, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(DuonasError, match="ranked in one process"):
        duonas.rank(trained)


def test_the_angle_is_a_predictor(run, table):
    found = duonas.rank(run, 12, table=duonas.RankTable(table, "test_acc", predictors=("params", "angle")))
    assert list(found["agreement"]) == ["accuracy", "params", "angle"]
    assert found["agreement"]["angle"]["kendall"] is not None
