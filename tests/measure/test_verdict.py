"""Which network alone does better, and what can be said of a pair against guessing."""

from __future__ import annotations

import pytest

from duonas.measure.verdict import alone, guessing, in_time, verdict


def measured(routed, little=(0.8, 100), big=(0.9, 1000), ms=(None, None)):
    accuracy, macs = routed
    found = {
        "little": {"accuracy": little[0], "macs": little[1]},
        "big": {"accuracy": big[0], "macs": big[1]},
        "routed": {"accuracy": accuracy, "expected_macs": macs},
    }
    for role, mean in zip(("routed", "big"), ms, strict=True):
        found[role]["latency_ms"] = {"p50": 1.0} | ({} if mean is None else {"mean": mean})
    return found


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        (measured((0.89, 600)), ""),
        (measured((0.9, 999)), ""),
        (measured((0.91, 1100)), ""),
        (
            measured((0.89, 1100)),
            "Big alone is 1.0 points more accurate, at fewer MACs (1k against 1.1k): use big alone.",
        ),
        (measured((0.9, 1000)), "Big alone is as accurate, at the same MACs (1k against 1k): use big alone."),
        (measured((0.8, 100)), "Little alone is as accurate, at the same MACs (100 against 100): use little alone."),
        (
            measured((0.85, 1100), little=(0.9, 100)),
            "Little alone is 5.0 points more accurate, at fewer MACs (100 against 1.1k): use little alone.",
        ),
    ],
)
def test_a_network_that_alone_is_as_good_for_no_more_is_named(figures, sentence):
    assert alone(figures) == verdict(figures) == sentence


@pytest.mark.parametrize(
    ("ms", "sentence"),
    [
        ((None, 0.067), ""),
        ((0.09, 0.067), "One image at a time it is slower than big: 0.0900 against 0.0670 ms on average."),
        ((0.05, 0.1), "One image at a time it is faster than big: 0.0500 against 0.100 ms on average."),
        ((1.001, 1.0), "One image at a time it is as fast as big: 1.00 against 1.00 ms on average."),
    ],
)
def test_times_are_compared_where_they_were_measured(ms, sentence):
    assert in_time(measured((0.89, 600), ms=ms)) == sentence


DRESS = {"class": "dress", "accuracy": 0.25, "better": False, "images": 48, "imbalance": 1.0}
WORST = {"worst_class": {"class": "shoe", "images": 12, "accuracy": 0.1}}


def test_too_few_images_to_tell_is_not_no_better_than_guessing():
    said = guessing(DRESS, {"accuracy": 17 / 48} | WORST, balanced=False)
    assert said == (
        "48 test images are too few to tell this pair from guessing: always answering 'dress' is right on 25.0% of "
        "them, the pair on 35.4%. A larger [data] test, or more images, would tell."
    )
    assert guessing(DRESS | {"better": True}, {"accuracy": 0.5} | WORST, balanced=False) == ""


@pytest.mark.parametrize(
    ("imbalance", "balanced", "advised"), [(1.9, False, False), (2.0, False, True), (9.0, True, False)]
)
def test_weights_are_advised_only_where_classes_are_unequal_and_none_are_set(imbalance, balanced, advised):
    said = guessing(DRESS | {"imbalance": imbalance}, {"accuracy": 0.25} | WORST, balanced=balanced)
    assert said.startswith("This pair is no better than guessing: always answering 'dress' is right on 25.0% of the 48")
    assert ("class_weights" in said) is advised and ("too short" in said) is not advised
