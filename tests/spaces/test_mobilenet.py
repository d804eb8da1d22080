"""The MobileNet space: presets, counts and narrowing."""

from __future__ import annotations

import tomllib
from itertools import product
from math import prod
from pathlib import Path

import pytest

from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.recipe.schema import parse
from duonas.spaces.mobilenet import PRESETS, MobileNet, MobileNetSpace
from duonas.spaces.uib import UIB
from duonas.supernet.options import PairOptions

FAST = [name for name in sorted(PRESETS) if name.startswith("fast-")]


@pytest.mark.parametrize("preset", sorted(PRESETS.keys() - {*FAST, *MobileNet.published}))
def test_every_preset_of_mbconv_spans_the_papers_axes(preset):
    space = MobileNet.space(MobileNet.Options(preset=preset), PRESETS[preset].image_size, 10)
    assert space.axes["stage1.width"].values == (0.25, 0.5, 0.75, 1.0)
    assert space.axes["stage1.depth"].values == (1, 2, 3, 4)
    assert space.axes["stage1.block0.kernel"].values == (3, 5, 7)
    assert space.axes["stage1.block0.expansion"].values == (1, 2, 4, 6)
    assert space.axes["resolution"].values == PRESETS[preset].resolutions


@pytest.mark.parametrize("preset", FAST)
def test_fast_presets_have_channels_in_blocks_of_16_and_littles_far_below_big(preset):
    side = PRESETS[preset].image_size
    assert preset == f"fast-{side}"
    space = MobileNet.space(MobileNet.Options(preset=preset), side, 10)
    archs = [space.smallest(), space.largest(), *(space.sample(stream(0, preset, i)) for i in range(20))]
    layers = [layer for arch in archs for block in space.blocks(arch)[1:] for layer in block.layers]
    assert all(layer.out_channels % 16 == 0 for layer in layers if layer.kind == "conv")
    assert {layer.activation for layer in layers} == {"relu", "none"}
    little, big = (analytic(space.blocks(arch)).macs for arch in archs[:2])
    assert 30 * little < big
    assert 2 * space.blocks(archs[0])[1].macs < little  # the stem


@pytest.mark.parametrize("kind", ["mbconv", "fused", "dense"])
def test_a_block_of_each_kind_costs_what_it_does_by_hand(kind):
    options = MobileNet.Options(preset="digits", kinds=(kind,))
    space = MobileNet.space(options, 8, 10)

    def macs(expansion):
        arch = space.arch(stage1_block0_kernel=5, stage1_block0_expansion=expansion)
        return space.blocks(arch)[2].macs

    # 16 channels at 8 x 8 to 32 at 4 x 4, kernel 5
    by_hand = {
        "mbconv": (16 * (25 * 16 + 16 * 32), 64 * 16 * 32 + 16 * (25 * 32 + 32 * 32)),
        "fused": (16 * (25 * 16 * 16 + 16 * 32), 16 * (25 * 16 * 32 + 32 * 32)),
        "dense": (16 * 25 * 16 * 32, 16 * (25 * 16 * 32 + 25 * 32 * 32)),
    }
    assert (macs(1), macs(2)) == by_hand[kind]


def test_each_kind_has_weights_of_its_own_and_nests_in_itself():
    options = MobileNet.Options(preset="digits", kinds=("dense", "mbconv"))
    space = MobileNet.space(options, 8, 10)
    assert space.axes["stage1.kind"].values == ("mbconv", "dense") and not space.ordered
    names = [block.name for block in space.whole() if block.name.startswith("stage1_block0")]
    assert sorted(names) == ["stage1_block0_dense", "stage1_block0_mbconv"]
    dense, mixed = (space.arch(stage1_kind="dense", stage2_kind=kind) for kind in ("dense", "mbconv"))
    assert not space.contains(dense, mixed) and not space.contains(mixed, dense)
    pairs = pair_space(space, "nested")
    for i in range(20):
        pair = pairs.sample(stream(0, i))
        assert all(pair.little[f"stage{stage}.kind"] == pair.big[f"stage{stage}.kind"] for stage in (1, 2))


def test_two_kinds_meet_in_neighbouring_stages_of_a_maximal_arch():
    options = MobileNet.Options(preset="cifar-small", kinds=("mbconv", "fused", "dense"))
    space = MobileNet.space(options, 32, 10)
    rows = [tuple(space.value(arch, f"stage{stage}.kind") for stage in (1, 2, 3)) for arch in space.maximal()]
    assert (
        {row[:2] for row in rows} == {row[1:] for row in rows} == set(product(("mbconv", "fused", "dense"), repeat=2))
    )


def test_one_kind_is_no_choice():
    table = {"kinds": ("mbconv", "fused"), "axes": {"kind": ["fused"]}}
    one = MobileNet.space(MobileNet.Options(preset="digits", **table), 8, 10)
    assert "stage1.kind" not in one.axes and one.ordered and len(one.maximal()) == 1
    assert [block.name for block in one.whole()] == [b.name for b in one.blocks(one.largest())]
    assert {block.kind for block in one.whole()} == {"input", "stem", "fused", "head"}


def test_axes_are_narrowed_in_one_stage():
    axes = {"stage2.kernel": [3], "depth": [1, 2], "stage1.depth": [1]}
    space = MobileNet.space(MobileNet.Options(preset="digits", axes=axes), 8, 10)
    assert space.axes["stage1.block0.kernel"].values == (3, 5, 7) and space.axes["stage1.depth"].values == (1,)
    assert space.axes["stage2.block0.kernel"].values == (3,) and space.axes["stage2.depth"].values == (1, 2)
    with pytest.raises(DuonasError, match=r"expansion keeps no value of stage1.expansion: keep some of \[1\]"):
        MobileNet.space(MobileNet.Options(preset="fast-32", axes={"expansion": [4]}), 32, 10)
    with pytest.raises(DuonasError, match=r"kind has no value 'dense': choose from \['mbconv'\]"):
        MobileNet.space(MobileNet.Options(preset="digits", axes={"kind": ["dense"]}), 8, 10)


def test_exact_size_of_the_cifar_space():
    stages, per_block = 3, 3 * 4
    stage = 4 * sum(per_block**depth for depth in (1, 2, 3, 4))
    assert MobileNet.space(MobileNet.Options(preset="cifar"), 32, 10).size() == 2 * stage**stages


def test_costs_of_known_archs():
    space = MobileNet.space(MobileNet.Options(preset="cifar-small"), 32, 10)
    smallest = analytic(space.blocks(space.smallest()))
    # stem 27*16*32^2; three blocks without expansion: depthwise 9*c*h^2, project c*c'*h^2; head 24*72*16 + 72*10
    by_hand = (
        27 * 16 * 1024 + (9 * 16 + 16 * 6) * 256 + (9 * 6 + 6 * 12) * 64 + (9 * 12 + 12 * 24) * 16 + 24 * 72 * 16 + 720
    )
    assert smallest.macs == by_hand
    assert smallest.peak_memory_bytes == 4 * (16 * 32**2 + 16 * 16**2)  # the first depthwise


def test_narrowing_keeps_the_order_and_refuses_what_is_not_there():
    space = MobileNet.space(MobileNet.Options(preset="cifar", axes={"kernel": [5, 3], "depth": [2]}), 32, 10)
    assert space.axes["stage1.block0.kernel"].values == (3, 5)
    assert "stage1.block2.kernel" not in space.axes and isinstance(space, MobileNetSpace)
    with pytest.raises(DuonasError, match=r"kernel has no value 9: choose from \[3, 5, 7\]"):
        MobileNet.space(MobileNet.Options(preset="cifar", axes={"kernel": [9]}), 32, 10)
    with pytest.raises(DuonasError, match="no axis 'kernal': did you mean 'kernel'"):
        MobileNet.space(MobileNet.Options(preset="cifar", axes={"kernal": [3]}), 32, 10)
    with pytest.raises(DuonasError, match="no preset 'cifr': did you mean 'cifar'"):
        MobileNet.space(MobileNet.Options(preset="cifr"), 32, 10)


def test_a_range_is_every_number_of_channels_between():
    space = MobileNet.space(MobileNet.Options(preset="cifar-small", width_range=(0.25, 1.0)), 32, 10)
    channels = [[space.channels(s, w) for w in space.axes[f"stage{s}.width"].values] for s in (1, 2, 3)]
    assert channels == [list(range(6, 25, 2)), list(range(12, 49, 2)), list(range(24, 97, 2))]
    four = MobileNet.space(MobileNet.Options(preset="cifar-small"), 32, 10)
    assert space.size() * 4**3 == four.size() * prod(map(len, channels))
    assert space.blocks(space.largest()) == four.blocks(four.largest())
    assert space.blocks(space.smallest()) == four.blocks(four.smallest())


def test_on_a_long_axis_mutation_goes_anywhere_and_neighbours_everywhere():
    space = MobileNet.space(MobileNet.Options(preset="cifar-small", width_range=(0.25, 1.0)), 32, 10)
    arch, rng = space.smallest(), stream(0, "mutate")
    drawn = {space.mutate(arch, rng, 0.5)["stage3.width"] for _ in range(400)}
    assert drawn == set(range(37))
    assert len({n["stage3.width"] for n in space.neighbours(arch)}) == 37


@pytest.mark.parametrize("divisor", [1, 3, 4, 8])
def test_a_divisor_rounds_channels_and_counts_no_network_twice(divisor):
    """With 8, three quarters and a half of 24 channels are both 16."""
    options = MobileNet.Options(
        preset="cifar-small", divisor=divisor, axes={"depth": [1], "kernel": [3], "expansion": [2]}
    )
    space = MobileNet.space(options, 32, 10)
    networks = {space.blocks(arch) for arch in space.archs()}
    assert len(networks) == space.size() == (3 * 4 * 4 if divisor == 8 else 4**3)
    for network in networks:
        assert all(block.out_channels % divisor == 0 for block in network if block.kind == "mbconv")


def test_squeeze_excite_and_simple_blocks():
    def largest(**options):
        space = MobileNet.space(MobileNet.Options(preset="imagenet", **options), 224, 10)
        return space.blocks(space.largest())[1:]

    assert all(block.squeeze_excite for block in largest(squeeze_excite="on")[1:-1])
    assert not any(block.squeeze_excite for block in largest(squeeze_excite="off"))
    as_shipped, simple = largest(), largest(blocks="simple")
    assert len({block.squeeze_excite for block in as_shipped[1:-1]}) == 2
    assert {block.activation for block in as_shipped} == {"relu", "hswish"}
    assert {(block.activation, block.squeeze_excite) for block in simple} == {("relu", False)}
    assert {layer.activation for block in simple for layer in block.layers} == {"relu", "none"}
    assert [b.out_channels for b in simple] == [b.out_channels for b in as_shipped]


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (PairOptions(), ("preset", "on")),
        (PairOptions(little_squeeze_excite="off"), ("preset", "off")),
        (PairOptions(little_blocks="simple"), ("simple", "preset")),
        (PairOptions(little_blocks="simple", little_squeeze_excite="off"), ("simple", "off")),
    ],
)
def test_little_is_made_by_bigs_table_but_for_its_own_choices(pair, expected):
    little = pair.of_little(MobileNet.Options(preset="cifar", squeeze_excite="on"))
    assert (little.blocks, little.squeeze_excite) == expected and little.preset == "cifar"


def differing(coupling, little="off", big="on"):
    spaces = [
        MobileNet.space(MobileNet.Options(preset="cifar", squeeze_excite=choice), 32, 10) for choice in (big, little)
    ]
    return pair_space(spaces[0], coupling, little=spaces[1])


@pytest.mark.parametrize("coupling", ["nested", "sibling", "partial"])
def test_littles_own_blocks_begin_after_the_split(coupling):
    pairs = differing(coupling)
    for i in range(20):
        pair = pairs.sample(stream(0, i))
        little, big = map(pairs.blocks, pairs.subnets(pair))
        assert all(block.squeeze_excite for block in big if block.kind == "mbconv")
        assert all(b.squeeze_excite == (b.stage <= pair.split) for b in little if b.kind == "mbconv")


def test_a_nested_little_with_its_own_blocks_is_a_subnet_of_its_own():
    pairs = differing("nested")
    assert pairs.towers == ("big",) and pairs.roles == ("big", "little")
    little, big = pairs.subnets(pairs.sample(stream(0)))
    assert (little.role, big.role) == ("little", "big") and little.id != pairs.subnets(pairs.sample(stream(0)))[1].id
    same = differing("nested", little="on")
    assert same.roles == ("big",) and {s.role for s in same.subnets(same.sample(stream(0)))} == {"big"}


def test_a_nested_little_needs_nothing_that_big_lacks():
    with pytest.raises(DuonasError, match="little's stage1_block0 has a layer 'squeeze' that big's does not have"):
        differing("nested", little="on", big="off")
    assert differing("sibling", little="on", big="off").roles == ("big", "little")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width_range": (0.25, 1.0), "norm": "switchable"}, "37 widths of stage3 are too many for"),
        ({"width_range": (0.25, 1.0), "norm": "both"}, "use norm = 'recalibrated'"),
        ({"width_range": (1.0, 0.5)}, "width_range goes from small to large: got 1 to 0.5"),
        ({"width_range": (0.5, 1.0), "axes": {"width": [0.5]}}, r"both width_range and axes\.width: give one of them"),
        ({"width_range": (0.5, 1.0), "axes": {"stage2.width": [0.5]}}, r"width_range and axes\.stage2\.width"),
        ({"divisor": 16}, r"divisor = 16 does not divide .* \(24, 48, 96\): choose from 1, 2, 3, 4, 6, 8, 12, 24"),
        ({"blocks": "simple", "squeeze_excite": "on"}, "simple blocks have no squeeze-excite"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(options, message):
    with pytest.raises(DuonasError, match=message):
        MobileNet.space(MobileNet.Options(preset="cifar-small", **options), 32, 10)


def test_a_short_range_may_be_switchable():
    options = MobileNet.Options(preset="cifar-small", width_range=(0.75, 1.0), divisor=4, norm="switchable")
    space = MobileNet.space(options, 32, 10)
    assert [space.channels(3, width) for width in space.axes["stage3.width"].values] == [72, 76, 80, 84, 88, 92, 96]


def test_the_documented_recipe_is_what_it_says():
    text = (Path(__file__).parents[2] / "docs" / "parts" / "spaces.md").read_text(encoding="utf-8")
    narrowed, recipe = (parse(tomllib.loads(part.split("```")[0])) for part in text.split("```toml\n")[1:3])
    fast = MobileNet.space(narrowed.space, 32, 10)
    assert 39.5e6 < analytic(fast.blocks(fast.largest())).macs < 40e6
    spaces = [MobileNet.space(table, 32, 10) for table in (recipe.space, recipe.pair.of_little(recipe.space))]
    assert [len(spaces[0].axes[f"stage{stage}.width"].values) for stage in (1, 2, 3)] == [3, 5, 10]
    assert pair_space(spaces[0], recipe.pair.coupling, little=spaces[1]).roles == ("big", "little")


@pytest.mark.parametrize(
    ("preset", "image_size", "usual"),
    [
        ("digits", 32, "fast-32"), ("imagenet", 32, "fast-32"), ("cifar", 224, "fast-224"), ("cifar", 8, "digits"),
        ("cifar", 64, "fast-64"), ("digits", 8, None), ("cifar-small", 32, None), ("imagenet", 160, None),
        ("fast-64", 96, None), (None, 64, None),
    ],
)  # fmt: skip
def test_a_preset_for_images_of_another_size_is_doubted(preset, image_size, usual):
    said = MobileNet.advice(MobileNet.Options(preset=preset), image_size)
    assert said.endswith(f"is {usual!r} (--set space.preset={usual}).") if usual else said == ""


@pytest.mark.parametrize(
    ("sides", "preset"),
    [
        ((8, 23), "digits"),
        ((24, 47), "fast-32"),
        ((48, 95), "fast-64"),
        ((96, 175), "fast-128"),
        ((176, 320), "fast-224"),
    ],
)
def test_presets_go_by_the_images_size(sides, preset):
    made = [MobileNet.space(MobileNet.Options(), side, 10) for side in sides]
    assert [space.preset for space in made] == [PRESETS[preset]] * 2


def test_the_presets_of_both_families_are_doubted():
    assert "'uib-cifar'" in UIB.advice(UIB.Options(preset="uib"), 32)


@pytest.mark.parametrize(
    ("side", "sides"),
    [(224, (128, 160, 192, 224)), (128, (64, 96, 128)), (64, (32, 64)), (100, (64, 100)), (28, (28,))],
)
def test_published_networks_take_images_of_any_size(side, sides):
    options = MobileNet.Options(preset="mobilenetv3-small")
    assert MobileNet.space(options, side, 10).axes["resolution"].values == sides
    assert MobileNet.advice(options, side) == ""


def test_parts_of_a_published_network_have_channels_in_blocks_of_8():
    for preset in MobileNet.published:
        space = MobileNet.space(MobileNet.Options(preset=preset), 64, 10)
        archs = [space.smallest(), space.largest(), *(space.sample(stream(0, preset, i)) for i in range(10))]
        layers = [layer for arch in archs for block in space.blocks(arch)[1:] for layer in block.layers]
        assert all(layer.out_channels % 8 == 0 for layer in layers if layer.kind == "conv")
        little, big = (analytic(space.blocks(arch)).macs for arch in archs[:2])
        assert 5 * little < big
