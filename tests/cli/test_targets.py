"""``duonas targets`` says of every target whether it runs here, why not, and whether it was ever tested."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from duonas.cli.app import app
from duonas.core.registry import find, names
from duonas.deploy.standing import standings
from duonas.testing.targets import export


def said(*arguments):
    done = CliRunner().invoke(app, ["targets", *map(str, arguments)], env={"COLUMNS": "400"})
    return done.exit_code, " ".join(done.output.split())


def test_every_target_says_where_it_stands():
    found = {each.name: each for each in standings()}
    assert sorted(found) == names("target")
    for name, each in found.items():
        assert each.about and bool(each.runs) != ("to run it: " in each.lacks)
        assert bool(each.tested) != bool(each.untested)
        assert each.tested == ("" if find("target", name).untested else find("target", name).tested)
    assert found["openvino"].runs.startswith("openvino ") and found["split"].runs == found["onnxruntime"].runs


def test_the_table_has_the_reasons():
    code, text = said()
    assert code == 0
    assert "lacks to run it: this build of ONNX Runtime has no CUDAExecutionProvider" in text
    assert "only written: no graphics card where duonas is made" in text


def test_a_bundle_is_tested_by_every_engine_that_is_here(exported):
    code, text = said(exported[2])
    assert code == 0
    assert "onnxruntime: Self-test passed: on 20 stored images" in text
    assert "openvino: Self-test passed: on 20 stored images" in text
    assert "split: Not passed: " in text and "has no split form: export again with" in text
    assert "cuda: " not in text  # it is not here, as the table says


@pytest.mark.parametrize("bundle", ["nowhere", "without images"])
def test_a_bundle_that_cannot_be_tested_is_one_sentence(bundle, tmp_path):
    folder = tmp_path / bundle
    if bundle == "without images":
        export("after little, shared stem", "onnxruntime", folder)
    code, text = said(folder)
    assert code == 2 and ("does not exist" in text or "has no stored images" in text)
