"""What the page of a bundle says, without the page."""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from duonas.cli.app import app
from duonas.core.errors import DuonasError
from duonas.demo.answers import Demo
from duonas.demo.pictures import decoded, pictures
from duonas.measure.examples import png
from support.exported import SIDE, make_images


@pytest.fixture(scope="module")
def bundle(export):
    return export(True, "after_little")[2]


@pytest.fixture(scope="module")
def demo(bundle):
    return Demo.open(bundle.parent, bundle)


def test_an_answer_is_that_of_the_bundle(demo):
    image = make_images(1, seed=5)[0].transpose(1, 2, 0)
    prediction = demo.bundle.predict(image.transpose(2, 0, 1)[None])
    for tau, who in ((-np.inf, "little"), (np.inf, "big")):
        answer = demo.answer(image, tau)
        assert answer.who == who and f"Answered by {who}" in answer.sentence and answer.took_ms > 0
        assert answer.score == prediction.score[0] and 0 < sum(answer.shares.values()) <= 1 + 1e-9
    answer = demo.answer(image, demo.bundle.tau)
    assert next(iter(answer.shares)) == demo.bundle.class_names[prediction.labels[0]] and len(answer.shares) == 3


def test_a_threshold_of_a_visitor_is_not_the_next_ones(demo):
    before = demo.bundle.tau
    demo.answer(np.zeros((5, 7, 3), np.uint8), np.inf)
    assert demo.bundle.tau == before


def test_the_slider_goes_through_the_policys_table(demo):
    assert demo.row(0.0).little_share == 0 and demo.row(1.0).little_share == 1
    chosen = demo.row(demo.chosen_share())
    assert np.float32(chosen.tau) == np.float32(demo.bundle.tau)
    told = demo.told(chosen)
    assert f"{chosen.accuracy:.1%} are right" in told and "MACs. Counted" in told
    assert "2.5 ms where the pair was timed" in demo.told(chosen._replace(expected_ms=2.5))


def test_pictures_are_those_of_the_run_by_score_or_the_stored_ones(bundle, demo, tmp_path):
    assert len(demo.pictures) == 20 and demo.pictures[0].image.shape == (SIDE, SIDE, 3)
    first, second = make_images(2, seed=6)
    rows = [{"label": 1, "score": 0.7, "png": png(first)}, {"label": 4, "score": 0.2, "png": png(second)}]
    (tmp_path / "examples.json").write_text(json.dumps(rows))
    found = pictures(tmp_path, bundle, demo.bundle.class_names)
    assert [each.caption for each in found] == ["é 0.2", "b 0.7"]
    assert (found[1].image == first.transpose(1, 2, 0)).all()
    bare = shutil.copytree(bundle, tmp_path / "bare")
    (bare / "golden.npz").unlink()
    assert pictures(bare, bare, ()) == []


def data_uri(size, kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", (size, 1)).save(buffer, kind)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.mark.parametrize(
    "uri",
    ["file:///etc/passwd", "http://example.org/x.png", "/etc/passwd", 3, None, data_uri(257), data_uri(4, "GIF"),
     "data:image/png;base64,AAAA", "data:image/png;base64,A", "data:image/svg+xml;base64,AAAA"],
)  # fmt: skip
def test_only_small_pngs_in_the_file_itself_are_shown(uri):
    with pytest.raises(DuonasError, match="an example cannot be shown"):
        decoded(uri)


@pytest.mark.parametrize("text", ["{}", "[3]", '[{"score": "x"}]', "[", '[{"score": 1, "label": [], "png": ""}]'])
def test_damaged_examples_are_one_sentence(bundle, tmp_path, text):
    (tmp_path / "examples.json").write_text(text)
    with pytest.raises(DuonasError, match=r"examples\.json"):
        pictures(tmp_path, bundle, ())


def test_without_gradio_one_sentence_says_what_to_install(bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    told = CliRunner().invoke(app, ["demo", str(bundle)])
    assert told.exit_code == 2
    assert "`duonas demo` needs gradio, which pip install 'duonas[demo]' installs." in " ".join(told.stderr.split())


def test_a_run_is_shown_without_running_code_of_it(bundle, tmp_path):
    """A recipe and a policy that name a Python file, as those of somebody else may."""
    (tmp_path / "evil.py").write_text("raise SystemExit('this ran')")
    policy = json.loads((bundle / "policy.json").read_text())
    policy["router"] = {"kind": f"{tmp_path / 'evil.py'}:Evil", "position": "after_little"}
    mine = shutil.copytree(bundle, tmp_path / "export")
    (mine / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "recipe.toml").write_text(f"[route]\nrouter = '{tmp_path / 'evil.py'}:Evil'")
    assert Demo.open(tmp_path, mine).pictures
