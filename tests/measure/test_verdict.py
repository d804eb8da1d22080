"""The verdict in measure.json, and that of a file which has none."""

from __future__ import annotations

from duonas.measure.verdict import told, verdict_of


def old(expected_macs):
    """Figures of a version that measured no times and gave no verdict."""
    return {
        "routed": {"accuracy": 0.89, "expected_macs": expected_macs, "little_share": 0.7},
        "big": {"accuracy": 0.9, "macs": 100},
        "little": {"accuracy": 0.8, "macs": 30},
    }


def test_measurements_of_earlier_versions_are_judged_by_what_they_have():
    sentence = verdict_of(old(40))["sentence"]
    assert sentence == "Routing pays: it needs 40% of big's MACs and is 1.0 points less accurate."
    found = verdict_of(old(108))
    assert found["use"] == "big" and "more MACs than they save" in found["reason"]


def test_a_verdict_that_was_stored_is_kept():
    stored = {"sentence": "Use big alone.", "reason": "", "next": "Wait."}
    assert told(verdict_of(old(40) | {"verdict": stored})) == "Use big alone. Wait."
