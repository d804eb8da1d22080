"""The page as text: what it needs, what it survives, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.report.files import WRITTEN_BY
from duonas.report.html import write_report
from duonas.report.provenance import _flat

from .fabricate import fabricate


def test_the_same_files_give_the_same_page(run: Path) -> None:
    path = write_report(run)
    first = path.read_bytes()
    assert path == run / "report.html"
    assert write_report(run).read_bytes() == first


def test_a_run_that_was_not_measured(run: Path) -> None:
    (run / "measure.json").unlink()
    with pytest.raises(DuonasError, match="duonas measure") as caught:
        write_report(run)
    assert "\n" not in str(caught.value)
    assert not (run / "report.html").exists()


def test_no_run_at_all(tmp_path: Path) -> None:
    with pytest.raises(DuonasError, match="no run directory"):
        write_report(tmp_path / "nowhere")


@pytest.mark.parametrize("name", sorted(WRITTEN_BY))
def test_a_missing_file_is_named_where_it_is_missed(run: Path, name: str) -> None:
    (run / name).unlink(missing_ok=True)
    page = write_report(run).read_text()
    optional = {"archs.parquet", "trials.parquet", "environment.json", "stages.json", "baselines.json", "beta.json",
                "plan.json", "finetuned.json", "quantized.json", "given.json", "narrow.json"}  # fmt: skip
    if name in optional or name.startswith("ranking/"):
        assert 'class="missing"' not in page
    else:
        assert f"Not shown: the run has no {name} (the {WRITTEN_BY[name]} stage writes it)." in page


def test_measure_alone_is_enough(run: Path) -> None:
    for name in WRITTEN_BY:
        (run / name).unlink(missing_ok=True)
    page = write_report(run).read_text()
    assert "Sends" in page and page.count('class="missing"') >= 8


@pytest.mark.parametrize("name", ["measure.json", "front.json", "archs.parquet", "test_outputs.safetensors"])
def test_a_damaged_file_is_refused_by_name(run: Path, name: str) -> None:
    (run / name).write_bytes(b"{broken")
    with pytest.raises(DuonasError, match=name):
        write_report(run)
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "key"), [("measure.json", "routed"), ("pair/pair.json", "blocks"), ("front.json", "points")]
)
def test_a_file_of_another_version_is_refused_by_name(run: Path, name: str, key: str) -> None:
    value = read_json(run / name)
    del value[key]
    write_json(run / name, value)
    with pytest.raises(DuonasError, match=f"{name}.*{key}"):
        write_report(run)


@pytest.mark.parametrize("tau", [float("inf"), float("-inf")])
def test_an_infinite_threshold(tmp_path: Path, tau: float) -> None:
    page = write_report(fabricate(tmp_path / "run", images=200, tau=tau)).read_text()
    assert ("Sends none" if tau > 0 else "Sends all") in page
    assert "nothing to be sensitive to" in page


def test_a_score_that_is_the_same_everywhere_and_a_little_that_is_always_right(run: Path) -> None:
    from safetensors.numpy import load_file, save_file

    arrays = load_file(run / "test_outputs.safetensors")
    arrays["score"][:] = 0.5
    arrays["little_logits"] = arrays["big_logits"].copy()
    save_file(arrays, run / "test_outputs.safetensors")
    write_json(run / "measure.json", read_json(run / "measure.json") | {"auroc": None, "tau": 0.5})
    assert "(AUROC)" not in write_report(run).read_text()


def test_a_threshold_that_was_chosen_on_few_images_is_doubted(run: Path) -> None:
    assert "Beware: the threshold" not in write_report(run).read_text()
    write_json(run / "pair/policy.json", read_json(run / "pair/policy.json") | {"images": 25})
    page = write_report(run).read_text()
    assert "Beware: the threshold is chosen on half of the calib split, only 25 images" in page and "10 points" in page


def test_provenance_has_no_long_fractions_and_leaves_out_what_is_not_known() -> None:
    assert _flat({"a": {"revision": None, "t": 0.7670403039650113, "n": [1, 0.1 + 0.2]}}) == [
        ("a.t", "0.76704"), ("a.n", "1, 0.3"),
    ]  # fmt: skip


def test_names_are_escaped(evil: Path) -> None:
    page = (evil / "report.html").read_text()
    assert "<script>window" not in page and "<b onclick" not in page and "</pre><script" not in page
    assert "&lt;script&gt;window.injected = true; alert(1)&lt;/script&gt;" in page
    assert page.count("<script>") == 2  # the library and the page's own
