"""Trivial predictors say of an arch what can be counted by hand."""

from __future__ import annotations

import pytest

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.ranking.predictors import predicted, predictors, proxies
from duonas.search.untrained import UntrainedNetworks
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201

CELLS = pair_space(NasBench201.space(NasBench201.Options(preset="nasbench201-small"), 32, 10))
CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
SIZES = pair_space(MobileNet.space(MobileNet.Options(preset="digits"), 8, 10))


def of(name, pairs, arch):
    (value,) = predicted([name], pairs, [Subnet(arch)])[name]
    return value


@pytest.mark.parametrize(
    ("name", "value"),
    [("count:nor_conv_3x3", 2), ("count:nor_conv_1x1+nor_conv_3x3", 3), ("without:skip_connect+none", 4)],
)
def test_edges_with_and_without_an_operation(name, value):
    assert of(name, CELLS, CELLS.space.arch(cell=CELL)) == value


def test_layers_of_a_cell_are_its_convolutions_and_those_around_it():
    empty = CELLS.space.arch(cell=CELL.replace("nor_conv_3x3", "none").replace("nor_conv_1x1", "none"))
    assert of("layers", CELLS, CELLS.space.arch(cell=CELL)) - of("layers", CELLS, empty) == 3 * 3  # of three stages


def test_values_of_a_kind_of_axis_add_up():
    arch = SIZES.space.arch(stage1_depth=1, stage2_depth=2)
    assert of("depth", SIZES, arch) == 3
    assert of("params", SIZES, SIZES.space.largest()) > of("params", SIZES, SIZES.space.smallest())


def test_proxies_of_untrained_networks_are_predictors():
    untrained, told = UntrainedNetworks.rehearsal(8, 10), []
    archs = [Subnet(SIZES.space.smallest()), Subnet(SIZES.space.largest())]
    found = predicted(["synflow", "macs"], SIZES, archs, untrained, lambda done, total: told.append((done, total)))
    assert found["synflow"][0] < found["synflow"][1] and found["macs"][0] < found["macs"][1]
    assert told == [(1, 2), (2, 2)] and proxies(["macs", "synflow"]) == ["synflow"]
    with pytest.raises(DuonasError, match="did you mean 'synflow'"):
        predictors(["sinflow"], SIZES, untrained=untrained)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("param", r"no 'param' for search space 'nasbench201': did you mean 'params'\?"),
        ("operation", r"or count:VALUE and without:VALUE"),
        ("count:nor_conv_5x5", r"count:nor_conv_5x5: no axis has the value 'nor_conv_5x5': did you mean"),
    ],
)
def test_a_predictor_that_is_not_there_is_refused(name, message):
    with pytest.raises(DuonasError, match=message):
        predictors([name], CELLS)
