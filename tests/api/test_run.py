"""A run as an object: results by value, plain words, pictures, and progress where somebody looks."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pyarrow
import pytest

import duonas
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.parquet import read_table, write_rows

QUICK = ["train.epochs=1", "train.batch_size=64", "search.evaluations=6", "search.population=3",
         "search.recalibration_images=64", "measure.latency_images=5", "measure.throughput_batches=2",
         "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2]}"]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run; not to be changed."""
    return duonas.run(duonas.load_recipe("digits", QUICK), tmp_path_factory.mktemp("runs") / "mine")


@pytest.fixture
def unfinished(run, tmp_path):
    """A run without any results of its own yet."""
    folder = tmp_path / "unfinished"
    folder.mkdir()
    shutil.copy(run / "recipe.toml", folder)
    return duonas.Run(folder)


def test_a_run_is_its_folder(run):
    assert isinstance(run, duonas.Run) and run / "export" == run.folder / "export"
    assert Path(run) == run.folder and str(run) == str(run.folder) and (run / "report.html").is_file()
    with open(run / "recipe.toml", encoding="utf-8") as file:
        assert file.read()
    assert duonas.Run(run) == run and hash(duonas.Run(run.folder)) == hash(run) and run != run.folder / "other"
    assert duonas.Run(str(run)).recipe == duonas.load_recipe("digits", QUICK)


def test_its_repr_says_what_is_there(run, unfinished):
    text = repr(run)
    assert f"Run('{run.folder}')" in text and "digits images, mobilenet space, nested pairs" in text
    assert "finished: train, search, pair, route, export, measure, report" in text
    for role in ("little", "big", "routed"):
        assert f"{role:<6} {run.measure[role]['accuracy']:.2%} on the test split" in text
    assert run.verdict["sentence"] in text and run.verdict == run.measure["verdict"]
    assert "finished: nothing yet" in repr(unfinished)
    assert '<iframe srcdoc="' in run._repr_html_() and "finished: nothing yet" in unfinished._repr_html_()


def test_its_data_are_those_of_the_recipe(run, unfinished):
    assert run.data == duonas.inspect(run.recipe).to_json() and run.data["all"]["images"] == 1797
    with pytest.raises(DuonasError, match="train"):
        _ = unfinished.data


def test_archs_are_given_by_value(run):
    archs, space_axes = run.archs, {"resolution", "stage1.depth", "stage1.block0.expansion", "stage2.width"}
    assert space_axes <= set(archs.columns) and "choices" not in archs.columns and "values" not in archs.columns
    assert set(archs["stage1.depth"]) <= {1, 2} and 2 in archs["stage1.depth"]
    assert set(archs["resolution"]) <= {8, 16, 24, 32}
    assert len(archs) == len(set(archs["arch"])) and all(0 <= each <= 1 for each in archs["accuracy"])


def test_pairs_are_given_by_the_values_of_both_archs(run):
    front, found = run.front, read_json(run / "front.json")
    assert sum(front["chosen"]) == 1 and front["chosen"].index(True) == found["chosen"]
    known = {(row["stage1.depth"], row["stage2.width"]) for row in run.archs}
    for table in (front, run.trials):
        for role in ("little", "big"):
            assert {(row[f"{role}.stage1.depth"], row[f"{role}.stage2.width"]) for row in table} <= known
    by_id = {row["arch"]: row for row in run.archs}
    for row in run.trials:
        assert row["big.stage2.depth"] == by_id[row["big"]]["stage2.depth"]
    chosen = front[found["chosen"]]
    pair = read_json(run / "pair" / "pair.json")["pair"]
    assert all(chosen[f"little.{axis}"] == value for axis, value in pair["little"]["values"].items())
    assert "little_values" in read_table(run / "trials.parquet").column_names  # for those who read the file itself


def test_results_lead_on_to_networks_and_words(run):
    images = np.zeros((2, *run.bundle.image_shape), np.uint8)
    assert run.bundle.predict(images).labels.shape == (2,)
    assert run.pair.facts.num_classes == 10
    assert "An image that stays little costs" in run.explain() and "duonas route" in run.explain()
    assert run.report == run.folder / "report.html"


def test_a_plot_is_a_picture_of_its_own(run, tmp_path):
    for what, legend in (("tradeoff", "little alone"), ("front", "chosen")):
        path = run.plot(what).save(tmp_path / f"{what}.svg")
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and float(root.get("height")) > 300
        texts = {"".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")}
        assert legend in texts and "var(" not in path.read_text(encoding="utf-8")
    plot = run.plot()
    assert plot.save(tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert plot.caption in plot.save(tmp_path / "plot.html").read_text(encoding="utf-8").replace("&#39;", "'")
    with pytest.raises(DuonasError, match=r"a name that ends in \.html, \.png, \.svg, got '.*p\.jpg'"):
        plot.save(tmp_path / "p.jpg")
    assert not (tmp_path / "p.jpg").exists()
    assert plot._repr_html_().startswith('<iframe srcdoc="') and plot.caption in repr(plot)


def test_what_is_not_there_yet_is_said_with_the_next_step(unfinished):
    asked = {
        "measure.json": lambda: unfinished.measure, "front.json": lambda: unfinished.front,
        "archs.parquet": lambda: unfinished.archs, "trials.parquet": lambda: unfinished.trials,
        "pair.json": lambda: unfinished.pair, "dynamic.onnx": lambda: unfinished.bundle,
        "report.html": lambda: unfinished.report,
    }  # fmt: skip
    for name, ask in asked.items():
        with pytest.raises(DuonasError, match=rf"has no {name} yet, .* `duonas run {unfinished.folder}`"):
            ask()
    for ask in (unfinished.plot, lambda: unfinished.plot("tradeoff"), unfinished.explain):
        with pytest.raises(DuonasError, match="yet"):
            ask()
    with pytest.raises(DuonasError, match=r"there is no plot 'curve': expected one of front, tradeoff"):
        unfinished.plot("curve")


def test_a_damaged_front_is_one_sentence(unfinished):
    for text in ('{"chosen": 0}', '{"chosen": 0, "points": [3]}', '{"chosen": 0, "points": [{"pair": {}}]}', "[]"):
        (unfinished / "front.json").write_text(text)
        with pytest.raises(DuonasError, match=r"front\.json is damaged or of another version of duonas"):
            _ = unfinished.front


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"little": {"accuracy": "x"}}'])
def test_a_damaged_measurement_is_shown_as_such_and_not_drawn(run, tmp_path, text):
    run = duonas.Run(shutil.copytree(run.folder, tmp_path / "run"))
    (run / "measure.json").write_text(text)
    assert "measure.json is damaged or of another version of duonas" in repr(run)
    with pytest.raises(DuonasError, match="is damaged or of another version of duonas"):
        run.plot()


def test_a_bundle_that_does_not_open_is_the_error_of_all_results(run, tmp_path):
    run = duonas.Run(shutil.copytree(run.folder, tmp_path / "run"))
    (run / "export" / "policy.json").write_text("{")
    with pytest.raises(DuonasError, match=r"policy\.json is damaged"):
        _ = run.bundle


def test_a_damaged_table_is_one_sentence(unfinished):
    for values in ("{", "[1]", "3"):
        write_rows(unfinished / "archs.parquet", [{"arch": "a", "values": values}])
        with pytest.raises(DuonasError, match=r"archs\.parquet is damaged or of another version of duonas"):
            _ = unfinished.archs


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(DuonasError, match="is not a run"):
        duonas.Run(tmp_path)


def test_another_threshold_by_a_text_with_a_unit(run, tmp_path):
    mine = duonas.Run(shutil.copytree(run.folder, tmp_path / "mine"))
    assert mine.rechoose(share="90%") == mine
    assert mine.recipe.route.share == 0.9 and "measure" not in mine.stages
    assert read_json(mine / "export" / "policy.json")["choice"]["share"] == 0.9


def test_public_names_and_no_others(run):
    assert dir(duonas) == sorted([*duonas.__all__, "__version__"])
    assert all(hasattr(duonas, name) for name in duonas.__all__)
    assert set(duonas.__all__) == {name for name in duonas._HOMES}


def test_tables_go_to_pyarrow_as_they_are(run):
    table = pyarrow.table(run.archs)
    assert table.column_names == list(run.archs.columns) and table.num_rows == len(run.archs)
