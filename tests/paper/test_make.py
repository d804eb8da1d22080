"""From the file of a table to its runs and what is written."""

from __future__ import annotations

import json
from statistics import mean, stdev

import pytest

from duonas.core.errors import DuonasError
from duonas.paper.make import make, overview


def accuracies(folder, variant):
    texts = [(folder / "digits-apart" / variant / f"seed-{seed}" / "measure.json").read_text() for seed in (0, 1)]
    return [json.loads(text)["routed"]["accuracy"] for text in texts]


def test_what_is_missing_is_run_and_the_table_is_written(made):
    folder, shown, written, runs = made
    assert len(runs) == 4
    assert {path.name for path in written.files} == {f"table-3.{end}" for end in ("md", "tex", "json", "html")}
    ((_, drawn),) = shown
    (table,) = drawn.tables.values()
    assert table.head == ["Variant", "Routed (%)", "Over apart (points)", "Energy (mJ)", "Runs"]
    apart, shared = (accuracies(folder, variant) for variant in ("apart", "shared"))
    over = [mine - theirs for mine, theirs in zip(shared, apart, strict=True)]
    assert table.rows[1][1] == f"{100 * mean(shared):.2f} ± {100 * stdev(shared):.2f}"
    assert table.rows[1][2].strip("+−") == f"{100 * abs(mean(over)):.2f} ± {100 * stdev(over):.2f}"
    assert [row[-1] for row in table.rows] == ["2 of 2"] * 2
    assert table.rows[0][2:4] == ["–", "–"] and "No finished run has: Energy." in drawn.notes
    assert drawn.values["digits"]["shared"]["Routed"] == dict(enumerate(shared))
    text = (folder / "table-3.md").read_text()
    assert text.startswith("# table-3: Trained apart & together (section 5.4.1)") and "| shared |" in text
    assert r"\caption{Trained apart \& together.}" in (folder / "table-3.tex").read_text()


def test_what_is_done_is_kept_and_what_was_stopped_goes_on(trained, element, tmp_path):
    trained.stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        make(element, tmp_path)
    shown, _ = make(element, tmp_path, run=False)
    (table,) = shown[0][1].tables.values()
    assert [row[-1] for row in table.rows] == ["1 of 2", "2 of 2"]
    assert " ± " not in table.rows[0][1] and "Not finished: apart (seed 1)." in shown[0][1].notes
    trained.stop_at = None
    _, written = make(element, tmp_path)
    assert len(trained.runs) == 4 == len(set(trained.runs))
    before = {path: path.read_bytes() for path in written.files}
    assert make(element, tmp_path)[1] == written and len(trained.runs) == 4
    assert {path: path.read_bytes() for path in written.files} == before


def test_runs_by_another_recipe_do_not_count(made, element, elements):
    folder, *_ = made
    ((_, drawn),), _ = make(element, folder, ["train.epochs=2"], run=False)
    (table,) = drawn.tables.values()
    assert [row[1:] for row in table.rows] == [["–", "–", "–", "0 of 2"]] * 2
    assert "Not finished: apart (seeds 0, 1), shared (seeds 0, 1)." in drawn.notes
    assert [state for _, state in overview(elements, folder)] == ["all 4 runs"]
    assert [state for _, state in overview(elements, folder, ["train.epochs=2"])] == ["0 of 4 runs"]


def test_a_mistake_is_found_before_anything_runs(trained, element, tmp_path):
    with pytest.raises(DuonasError, match="table-3 has no study 'digit': did you mean 'digits'"):
        make(element, tmp_path, only=["digit"])
    with pytest.raises(DuonasError, match=r"train\] has no key 'epoch'|train.epoch"):
        make(element, tmp_path, ["train.epoch=2"])
    assert trained.runs == [] and not list(tmp_path.iterdir())
