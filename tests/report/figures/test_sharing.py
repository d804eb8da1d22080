from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duonas.core.rng import stream
from duonas.report.figures.sharing import distances, sharing
from duonas.report.files import RunFiles, read_run

from ..fabricate import fabricate

BLOCKS = ("stem", "stage1_block10", "head")


def weights(*shape: int) -> np.ndarray:
    return stream(0, "weights", str(shape)).normal(size=shape)


def test_shared_weights_are_at_no_distance() -> None:
    big = {"stem.0.weight": weights(8, 3, 5, 5), "head.2.weight": weights(10, 8)}
    little = {"stem.0.weight": big["stem.0.weight"][:4, :, 1:4, 1:4], "head.2.weight": big["head.2.weight"][:, :4]}
    found = distances(little, big, BLOCKS)
    assert {name: each.shape for name, each in found.items()} == {"stem, 1": (4,), "head, 1": (10,)}
    assert all((each == 0).all() for each in found.values())


def test_a_distance_goes_from_equal_over_unrelated_to_opposite() -> None:
    big = np.zeros((3, 2, 1, 1))
    big[:, 0] = 1
    little = big.copy()
    little[1] = np.array([0, 1]).reshape(2, 1, 1)
    little[2] = -1 * big[2]
    (found,) = distances({"stem.0.weight": little}, {"stem.0.weight": big}, BLOCKS).values()
    assert found == pytest.approx([0, 2**-0.5, 1])


def test_layers_are_in_the_order_of_the_network() -> None:
    names = ("head.0.weight", "stage1_block10.2.weight", "stage1_block10.10.weight", "stem.0.weight", "stem.1.bias")
    both = {name: weights(2, 2) * number for number, name in enumerate(names, 1)}
    little = {name: each + (number == 1) for number, (name, each) in enumerate(both.items())}  # .2 of the block differs
    found = distances(little | {"stem.3.weight": weights(2)}, both | {"stem.3.weight": weights(2)}, BLOCKS)
    assert list(found) == ["stem, 1", "stage1 block10, 1", "stage1 block10, 2", "head, 1"]
    assert [bool(each.any()) for each in found.values()] == [False, True, False, False]


def test_the_figure_says_which_layers_are_shared(tmp_path: Path) -> None:
    files = read_run(fabricate(tmp_path / "run"))
    assert sharing(files) is None  # without weights
    stem = files["pair/pair.json"]["blocks"]["big"][0]["name"]
    key, other = f"{stem}.0.weight", f"{stem}.1.weight"
    big = {key: weights(8, 3, 3, 3), other: weights(8, 8, 1, 1)}

    def figure(little: dict[str, np.ndarray]) -> object:
        known = RunFiles(files.folder, files.measure, files.contents)
        known.__dict__["weights"] = {"little": little, "big": big}
        return sharing(known)

    assert "share the weights of all of them" in figure({name: each[:4] for name, each in big.items()}).caption
    caption = figure({key: big[key], other: -big[other]}).caption
    assert "2 layers in common and share the weights of 1" in caption and "to 100.0" in caption
    own = replace(files, contents=files.contents | {"recipe.toml": "[pair.little]\nname = 'mobilenet'\n"})
    own.__dict__["weights"] = {"little": big, "big": big}
    assert sharing(own) is None
    given = replace(files, contents=files.contents | {"pair/pair.json": {"coupling": "given"}})
    given.__dict__["weights"] = {"little": big, "big": big}
    assert sharing(given) is None
