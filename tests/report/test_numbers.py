"""What the report says, against the arrays it was computed from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duonas.measure.accuracy import Outputs
from duonas.measure.judge import judge
from duonas.report import examples, summary, tables
from duonas.report.figures.blocks import architectures
from duonas.report.figures.blocks import rows as block_rows
from duonas.report.figures.classes import _caption, class_rows
from duonas.report.figures.confidence import confidences
from duonas.report.figures.latency import latency
from duonas.report.figures.losses import finetuning, training
from duonas.report.figures.tradeoff import line, tradeoff
from duonas.report.files import RunFiles, read_run
from duonas.report.formatting import NOTHING, THIN
from duonas.routing.constraints import ConstraintCheck
from duonas.routing.threshold import sweep

from .fabricate import NAMES, fabricate

KINDS = ("fused", "dense")


@pytest.fixture(scope="module")
def files(ten: Path) -> RunFiles:
    return read_run(ten)


def measured(accuracy: float, macs: float, share: float = 0.71) -> dict[str, dict[str, float]]:
    return {
        "little": {"accuracy": 0.8, "macs": 30},
        "routed": {"accuracy": accuracy, "expected_macs": macs, "little_share": share},
        "big": {"accuracy": 0.9, "macs": 100},
    }


@pytest.mark.parametrize(
    ("accuracy", "macs", "sentence"),
    [
        (0.9, 41, "Sends 71 % of the images to little and is as accurate as big at 41 % of its MACs."),
        (0.897, 41, "Sends 71 % of the images to little and is 0.3 points less accurate than big at 41 % of its MACs."),
        (
            0.912,
            108,
            "Sends 71 % of the images to little and is 1.2 points more accurate than big but costs 108 % of its MACs.",
        ),
        (
            0.897,
            108,
            "Sends 71 % of the images to little and is 0.3 points less accurate than big but costs 108 % of its MACs.",
        ),
    ],
)
def test_little_share_accuracy_and_macs_against_big(accuracy: float, macs: float, sentence: str) -> None:
    assert summary.in_macs(measured(accuracy, macs)).replace(THIN, " ") == sentence


def test_the_headline_is_the_verdict_in_short(files: RunFiles) -> None:
    found = files.measure | {"verdict": judge(files.measure).to_json()}
    assert found["verdict"]["use"] == "routed" and "(0.340 against 1.42 ms" in found["verdict"]["sentence"]
    said = summary.headline(found)
    assert said.startswith("Routing pays: it is 4.18 times as fast as big and is ") and "0.340" not in said
    assert summary.headline(files.measure) == said  # a measurement of an earlier version has no verdict
    assert found["verdict"]["reason"] in summary.grounds(found)
    assert found["verdict"]["next"] in summary.grounds(found)


def test_the_headline_says_what_is_noise(files: RunFiles) -> None:
    sentence = (
        "Use big alone (big.onnx): the routed pair takes 2.14 times as long as big (1.00 against 0.467 ms an image) "
        "and is 0.6 points more accurate (within the noise of the test images: 95% interval -1.0 to +2.0)."
    )
    assert summary.headline(files.measure | {"verdict": {"sentence": sentence}}) == (
        "Use big alone: the routed pair takes 2.14 times as long as big and is 0.6 points more accurate (within the "
        "noise of the test images)."
    )


def test_the_verdict_has_a_row_for_each_network(files: RunFiles) -> None:
    big = files.measure["big"] | {"weight_bytes": 1_300_000, "peak_memory_bytes": 262_144}
    table = tables.verdict(files.measure | {"big": big, "plain": files.measure["little"]})
    assert [row[0] for row in table.rows] == ["routed", "big", "little", "plain"]
    assert table.head[3] == "Batch 1" and table.rows[1][3] == f"1.42{THIN}ms"
    assert table.rows[1][-2:] == (f"1.30{THIN}MB", f"262{THIN}KB") and table.rows[0][-2:] == ("–", "–")
    assert all(" to " in row[2] for row in table.rows)


def test_only_all_is_called_all_and_only_none_none() -> None:
    assert summary.in_macs(measured(0.9, 41, 1.0)).startswith("Sends all of the images to little")
    assert summary.in_macs(measured(0.9, 41, 0.0)).startswith("Sends none of the images to little")
    assert summary.in_macs(measured(0.9, 41, 0.9997)).startswith("Sends nearly all of the images to little")
    assert summary.in_macs(measured(0.9, 41, 0.0003)).startswith("Sends almost none of the images to little")


def routed_outputs(little: list[int], big: list[int], is_little: list[int]) -> Outputs:
    """The answers of two networks to images of class 1."""
    logits = (np.eye(2, dtype=np.float32)[right] for right in (little, big))
    labels = np.ones(len(little), int)
    return Outputs(*logits, np.zeros(len(labels), np.float32), np.array(is_little, bool), labels)


MANY = [1] * 1000


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        (routed_outputs([1, 1], [1, 1], [1, 1]), "On 2 test images the {} −84.2 and +84.2 points"),
        (routed_outputs([1], [0], [1]), "On 1 test image the {} −95.0 and +100.0 points"),
        (routed_outputs(MANY, MANY, MANY), "On 1 000 test images the {} −0.369 and +0.369 points"),
        (routed_outputs([0] * 7 + MANY[7:], MANY, MANY), "On 1 000 test images the {} −1.44 and −0.09 points"),
    ],
)  # fmt: skip
def test_the_difference_to_big_is_an_interval_in_the_possible_and_never_of_width_zero(
    outputs: Outputs, sentence: str
) -> None:
    said = "accuracy of the routed pair minus that of big lies between"
    expected = f"{sentence.format(said)} (exact 95 % interval of paired answers)."
    assert summary.certainty(outputs).replace(THIN, " ") == expected


MISSED = ConstraintCheck("expected_latency_ms", 0.12, "min", 0.209)
KEPT = ConstraintCheck("peak_macs", 4e6, "min", 3e6)
BROKEN = {"name": "weight_bytes", "limit": 10.0, "direction": "min", "predicted": 9.0, "measured": 11.0, "device": None,
          "kept": False}  # fmt: skip


@pytest.mark.parametrize(
    ("floor_on", "sentence"),
    [
        (
            "accuracy",
            "The threshold guarantees an accuracy of 90.00 % for new images like these, with 95 % confidence",
        ),
        (
            "balanced",
            "The threshold guarantees a balanced accuracy, the mean of the classes', of 90.00 % for new images",
        ),
        ("worst_class", "The threshold guarantees an accuracy of 90.00 % in every class for new images"),
    ],
)
def test_what_is_promised_and_what_the_search_was_constrained_by_is_said(floor_on: str, sentence: str) -> None:
    constraints = [MISSED.to_json(), KEPT.to_json()]
    policy = {"choice": {"floor": 0.9}, "floor_on": floor_on, "confidence": 0.95, "images": 1250}
    measured = {"constraints": [BROKEN]}
    said = summary.promise(policy | {"constraints": constraints}, measured).replace(THIN, " ")
    assert said.startswith(sentence) and "by 1 250 calib images. The search kept expected_latency_ms" in said
    assert "74.2% above it." in said and "has 3,000,000. weight_bytes at most 10 bytes: 9 " in said
    assert summary.promise(policy | {"choice": {"share": 0.5}}, {}).startswith("Nothing is guaranteed for new images")
    warned = summary.unkept(policy | {"constraints": constraints}, measured)
    assert warned.startswith("The search kept expected_latency_ms to at most") and "peak_macs" not in warned
    assert "11 bytes in the ONNX file: not kept." in warned
    assert summary.unkept(policy, {}) == ""


def test_classes_are_compared_only_where_they_differ() -> None:
    def row(name: str, share: float) -> dict[str, object]:
        return {"class": name, "little_share": share}

    same = _caption([row("common", 1.0), row("rare", 0.9999)])
    assert same.replace(THIN, " ") == "Little answers 100 % of the images of every class."
    assert _caption([row("one", 0.5)]).replace(THIN, " ") == "Little answers 50 % of the images of the only class."
    assert "71 % of the images of a, but 3 % of those of b" in _caption([row("a", 0.71), row("b", 0.03)]).replace(
        THIN, " "
    )


def test_the_routed_line_passes_through_what_was_measured(files: RunFiles) -> None:
    outputs, cost = files.outputs, files.cost
    rows = line(sweep(outputs.score, outputs.little_right, outputs.big_right), cost, "routed", rows=5000)
    measured = files.measure["routed"]
    nearest = min(rows, key=lambda row: abs(row["macs"] - measured["expected_macs"]))
    assert nearest["accuracy"] == pytest.approx(measured["accuracy"], abs=1e-5)
    assert (rows[0]["macs"], rows[-1]["macs"]) == (round(cost.least), round(cost.peak))
    ends = (outputs.little_right.mean(), outputs.big_right.mean())
    assert (rows[0]["accuracy"], rows[-1]["accuracy"]) == pytest.approx(ends, abs=1e-5)


def test_the_slider_goes_from_all_little_to_all_big_through_what_was_measured(files: RunFiles) -> None:
    steps, measured = files.thresholds, files.measure
    assert (np.diff(steps.tau) > 0).all() and len(steps.tau) <= 64
    assert (steps.little_share[0], steps.little_share[-1]) == (1, 0) and (np.diff(steps.little_share) <= 0).all()
    assert steps.accuracy[[0, -1]].tolist() == [measured["little"]["accuracy"], measured["big"]["accuracy"]]
    at = steps.chosen
    assert steps.tau[at] == pytest.approx(files.tau) and steps.accuracy[at] == measured["routed"]["accuracy"]
    assert steps.macs[at] == pytest.approx(measured["routed"]["expected_macs"], abs=1)
    assert steps.milliseconds[at] == measured["routed"]["latency_ms"]["mean"]
    assert steps.milliseconds.min() >= measured["little"]["latency_ms"]["mean"]
    line_ = steps.slider()["lines"][at].replace(THIN, " ")
    assert f"accuracy {100 * measured['routed']['accuracy']:.1f} %" in line_ and line_.endswith("0.340 ms")


def test_class_rows_add_up_and_the_easiest_comes_first(files: RunFiles) -> None:
    rows = class_rows(files, 1.5)
    assert [row["little_share"] for row in rows] == sorted((row["little_share"] for row in rows), reverse=True)
    assert sum(row["images"] for row in rows) == files.measure["test_images"]
    weighted = sum(row["images"] * row["routed"] for row in rows) / files.measure["test_images"]
    assert weighted == pytest.approx(files.measure["routed"]["accuracy"])


def test_outcomes_are_all_images(files: RunFiles) -> None:
    rows = tables.outcomes(files.outputs).rows
    assert sum(float(row[1].split(THIN)[0]) for row in rows) == pytest.approx(100, abs=0.3)


def test_classes_count_equally_in_the_balanced_accuracy(files: RunFiles) -> None:
    table = tables.class_balance(files.outputs, files.class_names)
    assert [row[0] for row in table.rows] == ["little", "routed", "big", "always airplane"]
    rows = class_rows(files, 1.5)
    for answers, role in zip(table.rows, ("little", "routed", "big"), strict=False):
        worst = min(rows, key=lambda row: (row[role], NAMES.index(row["class"])))
        assert answers[2].replace(THIN, " ") == f"{100 * np.mean([row[role] for row in rows]):.1f} %"
        assert answers[3].startswith(f"{worst['class']}: {100 * worst[role]:.1f}")
    assert [cell.replace(THIN, " ") for cell in table.rows[-1][1:3]] == ["10.0 %", "10.0 %"]
    assert summary.guessing(files.outputs, files.class_names, None) == ""


def test_top_5_stands_beside_where_there_are_more_than_ten_classes(hundred: Path) -> None:
    files = read_run(hundred)
    table = tables.class_balance(files.outputs, files.class_names)
    assert table.head[1:3] == ("Accuracy", "Top-5") and table.rows[-1][2] == "–"
    for row in table.rows[:3]:
        first, five = (float(cell.split(THIN)[0]) for cell in row[1:3])
        assert first < five <= 100


@pytest.mark.parametrize(("keys", "advised"), [("", True), ('class_weights = "balanced"', False)])
def test_a_pair_that_is_no_better_than_guessing_is_called_that(keys: str, advised: bool) -> None:
    labels = (np.arange(200) % 100 == 0).astype(int)
    constant = np.tile(np.array([5.0, 0.0], np.float32), (200, 1))
    outputs = Outputs(constant, constant, np.ones(200), np.ones(200, bool), labels)
    said = summary.guessing(outputs, ("common", "rare"), f"[train]\n{keys}")
    assert said.startswith(
        "This pair is no better than guessing: always answering 'common' is right on 99.0% of the 200"
    )
    assert ("class_weights" in said) is advised


@pytest.mark.parametrize(
    ("auroc", "words"),
    [
        (0.8, "scores little's right answers above"),
        (0.4, "worse than chance here: scores little's wrong answers above"),
        (None, "undefined, since little is always right or always wrong"),
    ],
)
def test_the_router_is_called_worse_than_chance_where_it_is(files: RunFiles, auroc: float | None, words: str) -> None:
    (tile,) = (each for each in summary.tiles(files.measure | {"auroc": auroc}) if each.name == "Router's AUROC")
    assert tile.note.startswith(words)


def test_examples_are_grouped_failures_first(files: RunFiles) -> None:
    rows = files["examples.json"]
    groups = examples.groups(files, rows)
    assert [group.name for group in groups] == ["Sent wrongly", "Lost either way", "Easy", "Hard"]
    assert not any(shot.right for group in groups[:2] for shot in group.examples)
    assert all(shot.right for group in groups[2:] for shot in group.examples)
    assert {shot.role for shot in groups[2].examples} == {"little"}
    assert {shot.role for shot in groups[3].examples} == {"big"}
    lost = [row for row in rows if row["label"] not in (row["little"], row["big"])]
    assert len(groups[1].examples) == len(lost)
    assert sum(len(group.examples) for group in groups) == len(rows)


@pytest.mark.parametrize("position", ["after_little", "stem", "input"])
def test_the_words_are_true_wherever_the_router_stands(tmp_path: Path, position: str) -> None:
    run = read_run(fabricate(tmp_path / "run", images=300, position=position))
    cost, before = run.cost, position != "after_little"
    assert cost.before == before
    texts = [summary.routing(run.measure), summary.price(cost), latency(run.measure, None).caption]
    texts += [tile.note for tile in summary.tiles(run.measure)]
    page = " ".join(texts).replace(THIN, " ")
    assert ("Little runs on every image" in page) == (not before)
    assert ("the other one does not run" in page) == before
    assert ("for which big runs, too" in page) == (not before) and ("little's runs" in page) == (not before)
    assert ("nothing for little" in page) == before and ("pays another" in page) == (not before)
    assert {"after_little": "after little", "stem": "at the stem", "input": "at the input"}[position] in page
    assert "routed, every threshold" in str(tradeoff(run).charts)


def test_what_is_said_of_the_router_is_what_was_measured(files: RunFiles) -> None:
    sentences = summary.decisions(files.measure).replace(THIN, " ")
    for name in ("little_right_when_kept", "big_needed_when_sent", "sent_when_big_needed"):
        assert f"{100 * files.measure['routing'][name]:.1f} %" in sentences
    assert f"{100 * files.measure['routing']['oracle_gap']:.1f} points better" in sentences
    nothing = {"little_right_when_kept": None, "big_needed_when_sent": None, "sent_when_big_needed": None}
    assert "None" not in summary.decisions({"routing": files.measure["routing"] | nothing})
    assert "3.2 µs (0.9 % of the routed p50)" in summary.overhead(files.measure).replace(THIN, " ")


def test_a_picture_that_is_no_png_is_left_out(files: RunFiles) -> None:
    row = files["examples.json"][0] | {"png": 'https://example.org/x.png" onerror="alert(1)'}
    assert examples.groups(files, [row])[0].examples[0].picture == ""


def test_blocks_are_matched_by_name_in_order(files: RunFiles) -> None:
    tower = files["pair/pair.json"]["blocks"]
    matched = block_rows(tower["little"], tower["big"])
    assert [block["name"] for _, block in matched if block] == [block["name"] for block in tower["big"]]
    assert [block["name"] for block, _ in matched if block] == [block["name"] for block in tower["little"]]
    assert all(a["name"] == b["name"] for a, b in matched if a and b)


def test_blocks_of_different_kinds_stand_side_by_side(files: RunFiles) -> None:
    big = files["pair/pair.json"]["blocks"]["big"]
    place = next(i for i, block in enumerate(big) if block["kind"] == "mbconv")
    name = big[place]["name"]
    fused, plain = ([*big[:place], big[place] | {"name": f"{name}_{k}", "kind": k}, *big[place + 1 :]] for k in KINDS)
    matched = block_rows(fused, plain)
    assert len(matched) == len(big) and (matched[place][0]["kind"], matched[place][1]["kind"]) == KINDS


def test_static_baselines_within_reach_are_drawn_and_the_others_named(files: RunFiles) -> None:
    plot = tradeoff(files)
    near, far = files["baselines.json"]["networks"]
    assert near["macs"] <= 3 * files.cost.peak < far["macs"]
    assert near["name"] in str(plot.charts) and far["name"] not in str(plot.charts)
    assert far["name"] in plot.caption and near["name"] not in plot.caption
    assert [row[0] for row in tables.baselines(files["baselines.json"]).rows] == [near["name"], far["name"]]


def test_subnets_that_are_all_far_below_the_pair_are_told_instead_of_drawn(files: RunFiles) -> None:
    said = tradeoff(files).caption
    assert "Grey dots are static subnets" in said
    rows = [row | {"accuracy": 0.001 * at} for at, row in enumerate(files["archs.parquet"][:3], 1)]
    below = replace(files, contents={**files.contents, "archs.parquet": rows})
    assert "The 3 static subnets of the search lie outside the picture: they have 0.1" in tradeoff(below).caption


def test_the_plan_is_shown_with_what_was_used(files: RunFiles) -> None:
    table = tables.plan(files["plan.json"])
    assert table.head == ("Plan of 30 minutes", "Work", "Planned", "Took")
    space = THIN
    assert [row[0] for row in table.rows[1:4]] == ["supernet", "search", "pair"]
    assert table.rows[1][1:] == ("6,960 steps (348 epochs)", f"11{space}min 36{space}s", f"13{space}min 20{space}s")
    assert table.rows[3][3] == NOTHING


def test_the_report_says_where_the_weights_come_from_and_how_many_there_are(files: RunFiles) -> None:
    pair = files["pair/pair.json"]
    little, big = (pair["networks"][role]["params"] for role in ("little", "big"))
    assert "a part of big's" in summary.origin(pair) and summary.stored_params(pair) == big
    stem = sum(block["params"] for block in pair["blocks"]["big"][:2])
    made = pair | {"within": False}  # nested, each with weights of its own
    assert "a part of" not in summary.origin(made) and summary.stored_params(made) == little + big - stem
    assert "a part of big's" in architectures(pair).caption and "generates the weights" in architectures(made).caption
    joint = pair | {"coupling": "sibling", "within": False, "finetune": "joint"}
    assert "fine-tuned together" in summary.origin(joint) and summary.stored_params(joint) == little + big - stem
    apart = pair | {"coupling": "independent", "within": False, "finetune": "independent", "shared": 0}
    assert "separately" in summary.origin(apart) and summary.stored_params(apart) == little + big


def test_fine_tuning_has_a_curve_of_its_own_whether_together_or_apart() -> None:
    def lines(stage: str, **losses: float) -> list[dict[str, float | str]]:
        return [{"stage": stage, "step": n, "epoch": n / 2, "lr": 0.1, "loss": 9.0 / n} | losses for n in (1, 2, 3)]

    together = finetuning(lines("train") + lines("finetune", big=0.25, little=0.75))
    apart = finetuning(lines("finetune/little") + lines("finetune/big"))
    assert together is not None and "0.250 for the big network and 0.750 for the little" in together.caption
    assert apart is not None and "3.00 for the big network and 3.00 for the little" in apart.caption
    assert finetuning(lines("train")) is None
    caption = training(lines("train")).caption
    assert caption.startswith("Each point is one batch. After 1.5 epochs the loss of the batch is 3.00")
    assert "0.250 for the big network" in training(lines("train", big=0.25, little=0.75)).caption


def test_the_confidences_of_each_class_are_all_its_images(files: RunFiles) -> None:
    figure = confidences(files)
    for spec in figure.charts:
        rows = spec["datasets"]["rows"]
        for label, name in enumerate(NAMES):
            of_class = [row for row in rows if row["class"] == name]
            assert sum(row["images"] for row in of_class) == (files.outputs.labels == label).sum()
            assert sum(row["share"] for row in of_class) == pytest.approx(1, abs=0.01)
    assert "the surest class first" in figure.caption
