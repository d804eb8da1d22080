"""The blocks of two networks side by side."""

from __future__ import annotations

from duonas.report.figures.blocks import rows


def tower(stages):
    """The input, one block for each stage, and a head whose stage is the last."""
    named = [("input", "input", 0), *((f"stage{n}_block0", "mbconv", n) for n in range(1, stages + 1))]
    return [
        {"name": name, "kind": kind, "stage": stage} for name, kind, stage in (*named, ("head", "head", stages + 1))
    ]


def test_heads_come_last_however_many_stages_a_network_has():
    for little, big in ((4, 2), (2, 4), (3, 3)):
        pairs = [[block and block["name"] for block in both] for both in rows(tower(little), tower(big))]
        assert pairs[0] == ["input", "input"] and pairs[-1] == ["head", "head"]
        between = [f"stage{n}_block0" for n in range(1, max(little, big) + 1)]
        assert [mine or other for mine, other in pairs[1:-1]] == between
        assert [mine is None for mine, _ in pairs[1:-1]] == [n > little for n in range(1, max(little, big) + 1)]
