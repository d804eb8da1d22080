"""What devices found out, brought back into a run."""

from __future__ import annotations

import json

import pytest

from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json, write_text
from duonas.pipeline.benches import add_benches
from duonas.recipe.read import load
from duonas.rundir.folder import RunFolder
from support.report_benches import CHECKSUMS, bench


@pytest.fixture
def run(tmp_path):
    """A run that is exported and reported, as far as this needs."""
    folder = tmp_path / "run"
    with RunFolder.open(folder, load("digits")) as opened:
        write_json(opened.export / "policy.json", {"onnx": CHECKSUMS | {"dynamic.onnx": "3" * 64}})
        write_text(opened.report, "a report")
        opened.start("report")
        opened.finish("report", [opened.report])
    return folder


def written(tmp_path, name, **changes):
    return write_json(tmp_path / f"{name}.json", bench(3, **changes))


def test_results_are_kept_in_the_run_and_its_report_is_drawn_again(run, tmp_path):
    pi, laptop = written(tmp_path, "pi 5"), written(tmp_path, "laptop", told=False)
    assert add_benches(run, [pi, laptop]) == [run / "devices" / "pi_5.json", run / "devices" / "laptop.json"]
    assert read_json(run / "devices" / "laptop.json") == bench(3, told=False)
    assert not RunFolder(run).is_done("report")
    add_benches(run, [written(tmp_path, "laptop")])
    assert read_json(run / "devices" / "laptop.json") == bench(3)


def test_a_result_of_another_bundle_is_refused_and_nothing_is_changed(run, tmp_path):
    other = written(tmp_path, "other", bundle={"onnx": CHECKSUMS | {"big.onnx": "4" * 64}, "tau": 0.5})
    with pytest.raises(DuonasError, match=r"other\.json was measured with another bundle"):
        add_benches(run, [written(tmp_path, "pi"), other])
    assert not (run / "devices").exists() and RunFolder(run).is_done("report")


def test_two_results_of_one_name_are_refused(run, tmp_path):
    (tmp_path / "a").mkdir()
    files = [written(tmp_path, "bench"), written(tmp_path / "a", "bench")]
    with pytest.raises(DuonasError, match="two results of --device have the same name"):
        add_benches(run, files)
    assert not (run / "devices").exists()


def test_a_run_without_an_export_is_refused(run, tmp_path):
    (run / "export" / "policy.json").unlink()
    with pytest.raises(DuonasError, match=r"has no export yet: make it first with `duonas export"):
        add_benches(run, [written(tmp_path, "pi")])


def test_what_is_no_run_or_no_result_is_refused(run, tmp_path):
    with pytest.raises(DuonasError, match="is not a run"):
        add_benches(tmp_path / "none", [written(tmp_path, "pi")])
    path = tmp_path / "some.json"
    path.write_text(json.dumps({"a": 1}))
    with pytest.raises(DuonasError, match=r"some\.json is not a result of"):
        add_benches(run, [path])
