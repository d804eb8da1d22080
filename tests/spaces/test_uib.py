"""The space of universal inverted bottlenecks: its forms, its costs, its named archs, and a whole run."""

from __future__ import annotations

import importlib.util
import itertools
import tomllib
from math import prod
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from timm.models._efficientnet_blocks import UniversalInvertedResidual

from duonas.core.block import Bottleneck
from duonas.core.couplings import pair_space
from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.core.uib import FORMS, form, uib_block
from duonas.costs.analytic import analytic
from duonas.deploy.export import export_module
from duonas.layers.norm import folded
from duonas.layers.uib import ElasticUIB
from duonas.pair.build import build
from duonas.recipe.schema import options_for, parse
from duonas.report.figures.blocks import architectures
from duonas.search.goal import Goal
from duonas.search.options import GivenPair
from duonas.search.prices import Prices
from duonas.search.problem import Problem
from duonas.search.strategies.fixed import Fixed
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.uib import KHYPER, PRESETS, UIB
from duonas.supernet.options import PairOptions
from duonas.supernet.supernet import plain_network

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "uib_costs.py"
GOAL = Goal(("accuracy", "expected_macs", "peak_macs"), {})
EVERY = list(itertools.product((0, 3, 5), repeat=2))


def space(preset="uib", size=None, classes=1000, **options):
    return UIB.space(UIB.Options(preset=preset, **options), size or PRESETS[preset].image_size, classes)


def block(first, second, stride=1, channels=(4, 4), expansion=6, side=7):
    outer = Bottleneck(*channels, side, stride, expansion, "relu")
    return uib_block("stage1_block0", 1, outer, first=first, second=second)


def script():
    spec = importlib.util.spec_from_file_location("uib_costs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# 8 to 12 channels, expansion 2 (16 hidden), a 6 x 6 map halved: MACs of each convolution, params with norms.
BY_HAND = {
    (0, 0): ("FFN", 8 * 16 * 9 + 16 * 12 * 9, 8 * 16 + 16 * 12 + 2 * (16 + 12)),
    (3, 0): ("ConvNext-like", 9 * 8 * 9 + 8 * 16 * 9 + 16 * 12 * 9, 9 * 8 + 8 * 16 + 16 * 12 + 2 * (8 + 16 + 12)),
    (0, 5): ("IB", 8 * 16 * 36 + 25 * 16 * 9 + 16 * 12 * 9, 8 * 16 + 25 * 16 + 16 * 12 + 2 * (16 + 16 + 12)),
    (3, 5): (
        "Extra DW",
        9 * 8 * 36 + 8 * 16 * 36 + 25 * 16 * 9 + 16 * 12 * 9,
        9 * 8 + 8 * 16 + 25 * 16 + 16 * 12 + 2 * (8 + 16 + 16 + 12),
    ),
}


@pytest.mark.parametrize(("kernels", "expected"), BY_HAND.items())
def test_each_form_costs_what_it_does_by_hand(kernels, expected):
    spec = block(*kernels, stride=2, channels=(8, 12), expansion=2, side=6)
    assert (form(*kernels), spec.macs, spec.params) == expected
    assert (spec.out_resolution, spec.residual) == (3, False)


def test_nothing_is_expanded_by_one():
    assert [layer.name for layer in block(3, 5, expansion=1).layers] == ["first", "second", "project"]
    (only,) = block(0, 0, 2, expansion=1).layers
    assert (only.name, only.stride, only.macs) == ("project", 2, 4 * 4 * 4 * 4)


@pytest.mark.parametrize(("first", "second"), [kernels for kernels in EVERY if any(kernels)])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_is_timms(first, second, stride):
    """The same layers in the same order, so that the weights of one fit the other, and the same result."""
    spec = block(first, second, stride, channels=(8, 8), expansion=2)
    theirs = UniversalInvertedResidual(8, 8, first, second, stride=stride, exp_ratio=2, layer_scale_init_value=None)
    (ours,) = build([spec])
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    x = torch.rand(2, 8, 7, 7)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def elastic(largest, kernels, norm="recalibrated", **options):
    """A block with drawn weights and statistics."""
    widths = {layer.name: [layer.out_channels] for layer in largest.layers}
    net = ElasticUIB(largest, widths, norm, kernels, **options).eval()
    with torch.no_grad():
        for name, value in net.state_dict().items():
            value.copy_(torch.from_numpy(stream(0, name).random(value.shape)) * 0.5 + 0.1)
    return net


@pytest.mark.parametrize(
    ("stride", "expansion", "kernels"),
    [
        (1, 6, ((0, 3, 5), (0, 3, 5))),
        (2, 6, ((0, 3, 5), (0, 3, 5))),
        (2, 1, ((0, 3, 5), (0, 3, 5))),
        (2, 2, ((0, 5), (0,))),
        (2, 2, ((3,), (0, 3))),
        (2, 2, ((0,), (0,))),
    ],
)
def test_a_mixture_of_one_form_is_that_form(stride, expansion, kernels):
    """Wherever the stride stands in it; and a mixture of several is none of them."""
    channels = (4, 4 if stride == 1 else 6)
    largest = block(*map(max, kernels), stride, channels, expansion)
    net = elastic(largest, dict(zip(("first", "second"), kernels, strict=True)), kernel_transform=True)
    x = torch.from_numpy(stream(1).random((2, 4, 7, 7))).float()
    for chosen in itertools.product(*kernels):
        alone = {
            f"stage1.block0.{place}": torch.tensor([float(value == one) for value in values])
            for place, values, one in zip(("first", "second"), kernels, chosen, strict=True)
        }
        plain = net(x, block(*chosen, stride, channels, expansion))
        torch.testing.assert_close(net.mixed(x, largest, alone), plain, rtol=1e-4, atol=1e-4)
    even = {name: torch.full_like(weights, 1 / len(weights), requires_grad=True) for name, weights in alone.items()}
    out = net.mixed(x, largest, even)
    assert out.shape == plain.shape
    if any(len(values) > 1 for values in kernels):
        assert not torch.allclose(out, plain)
        out.square().mean().backward()
        assert any(weights.grad.abs().sum() > 0 for weights in even.values() if weights.grad is not None)


def test_forms_nest_as_their_kernels_do():
    """The four forms, and within a form the kernels; what is contained has a part of the other's weights."""
    whole = space("uib-digits")

    def arch(kernels):
        return whole.arch(stage1_block0_first=kernels[0], stage1_block0_second=kernels[1])

    for little, big in itertools.product(EVERY, repeat=2):
        contained = all(mine <= its for mine, its in zip(little, big, strict=True))
        assert whole.contains(arch(big), arch(little)) is contained
        if contained:
            assert {part.name for part in block(*little).layers} <= {part.name for part in block(*big).layers}
    assert whole.contains(arch((5, 5)), arch((0, 0))) and not whole.contains(arch((5, 0)), arch((0, 3)))
    assert {form(*kernels) for kernels in EVERY} == set(FORMS.values())


def test_a_smaller_kernel_is_the_centre_of_the_larger():
    largest = block(5, 5)
    net = elastic(largest, {"first": (0, 3, 5), "second": (0, 3, 5)})
    (plain,) = plain_network([block(3, 3)], [net])
    body = plain.body
    for place, part in (("first", body[0]), ("second", body[2])):
        assert torch.equal(part[0].weight, getattr(net, place).conv.weight[..., 1:4, 1:4])


def test_the_table_of_the_paper():
    """Table 8, and strides and expansions as Tables 9 to 11 have them."""
    whole = space()
    outline = [tuple(whole.axes[f"stage{stage}.{kind}"].values for kind in ("width", "depth")) for stage in range(1, 8)]
    assert outline == [
        ((16, 24), (1, 2)),
        ((24, 32), (2, 3)),
        ((40, 48), (2, 3)),
        ((80, 88), (2, 3, 4)),
        ((112, 128), (2, 3, 4, 5, 6)),
        ((192, 216), (2, 3, 4, 5, 6)),
        ((320, 352), (1, 2)),
    ]
    blocks = whole.blocks(whole.largest())
    firsts = [spec for spec in blocks if spec.name.endswith("block0")]
    assert [spec.stride for spec in firsts] == [1, 2, 2, 2, 1, 2, 1]
    assert [spec.expansion for spec in firsts] == [1, 6, 6, 6, 6, 6, 6]
    assert [layer.out_channels for layer in blocks[-1].layers] == [960, 1280, 1000]
    assert (blocks[1].out_channels, blocks[1].stride) == (32, 2)
    # Of a stage: two widths, and 9 blocks to choose from at each depth.
    assert whole.size() == 3 * 2**7 * prod(sum(9**depth for depth in depths) for _, depths in outline)


# Params and MACs with 1,000 classes; all layers, norms included.
GOLDEN = {
    "khyper-s": (5_249_432, 589_057_824),
    "khyper-m": (8_171_232, 1_305_647_200),
    "khyper-l": (9_995_392, 1_863_955_200),
}


@pytest.mark.parametrize(("name", "figures"), GOLDEN.items())
def test_the_named_archs_cost_what_they_did(name, figures):
    """Without the classifier, and cut to one digit, they are the published ones."""
    whole = space()
    arch = whole.validate(whole.arch(arch=name))
    cost = analytic(whole.blocks(arch))
    assert (cost.params, cost.macs) == figures
    millions, billions = script().PUBLISHED[name]
    assert int((cost.params - 1280 * 1000 - 1000) / 1e5) == round(10 * millions)
    assert int(cost.macs / 1e8) == round(10 * billions)


def test_named_archs_have_the_papers_rows():
    whole = space()
    forms = whole.forms(whole.arch(arch="khyper-l"))
    assert len(forms) == 26 and list(forms)[-1] == "stage7.block1"
    assert [name for name, what in forms.items() if what == "FFN"] == [
        "stage4.block0", "stage5.block3", "stage7.block0", "stage7.block1"
    ]  # fmt: skip
    counts = [len(whole.forms(whole.arch(arch=name))) for name in KHYPER]
    assert counts == [16, 20, 26]
    sides = [spec.resolution for spec in whole.blocks(whole.arch(arch="khyper-s")) if spec.stride == 2]
    assert sides == [272, 136, 68, 34, 17]


def test_the_script_prints_both(capsys):
    assert script().main() == 0
    out = capsys.readouterr().out
    assert "khyper-s" in out and "5.25M" in out and "3.9M" in out


def test_a_pair_may_be_given_by_name():
    whole = space()
    problem = Problem(GOAL, Prices(pair_space(whole, "sibling")))
    (asked,) = Fixed(
        problem, Fixed.Options(pair=GivenPair(little={"arch": "khyper-s"}, big={"arch": "khyper-l"})), 0
    ).ask(1)
    assert asked.pair.little == whole.arch(arch="khyper-s") and asked.pair.big == whole.arch(arch="khyper-l")
    other = whole.arch(arch="khyper-s", stage1_block0_second=5, resolution=224)
    assert whole.value(other, "stage1.block0.second") == 5 and whole.value(other, "resolution") == 224
    smaller = GivenPair(little={"arch": "khyper-s", "resolution": 224}, big={"arch": "khyper-l"})
    assert whole.value(Fixed(problem, Fixed.Options(pair=smaller), 0).ask(1)[0].pair.little, "resolution") == 224


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: space("uib").arch(arch="khyper-x"), "no arch named 'khyper-x': did you mean 'khyper-"),
        (lambda: space("uib", 224).arch(arch="khyper-s"), r"'resolution' has no value 272: choose from \[224\]"),
        (lambda: space("uib-cifar").arch(arch="khyper-s"), "has no named archs such as 'khyper-s'"),
        (lambda: space("uib-cifar").arch(stage1_width=13), r"'stage1.width' has no value 13: choose from \[12, 16\]"),
        (lambda: space("uib-cifar", axes={"kernel": [3]}), "has no axis 'kernel': expected one of"),
        (lambda: space("uib-cifar", axes={"first": [7]}), r"first has no value 7: choose from \[0, 3, 5\]"),
        (lambda: space("uib-cifar", axes={"width": [13]}), r"width has no value 13"),
        (lambda: space("uib-cifar", axes={"width": [16]}), r"width keeps no value of stage2.width: .* \[24, 32\]"),
        (lambda: space("uib-cifar", axes={"stage9.depth": [1]}), r"no axis 'stage9\.depth': did you mean 'stage"),
        (
            lambda: options_for("space", name="uib", divisor=8),
            "no key 'divisor': it is a key of .* 'mobilenet', but here",
        ),
        (
            lambda: options_for("space", name="uib", squeeze_excite="on"),
            "no key 'squeeze_excite': it is a key of .* 'mobilenet'",
        ),
        (lambda: options_for("space", name="uib", blocks="simple"), "no key 'blocks': it is a key of .* 'mobilenet'"),
        (
            lambda: UIB.space(PairOptions(little_blocks="simple").of_little(UIB.Options()), 32, 10),
            "search space 'uib' has only one kind of block",
        ),
        (
            lambda: UIB.space(UIB.Options(preset="uib-cifr"), 32, 10),
            "no preset 'uib-cifr': did you mean 'uib-c",
        ),
        (lambda: MobileNet.space(MobileNet.Options(preset="uib"), 32, 10), "'mobilenet' has no preset 'uib'"),
    ],
)
def test_what_is_not_there_is_one_sentence(made, message):
    with pytest.raises(DuonasError, match=message):
        made()


def test_narrowing_is_for_all_stages_or_one():
    narrow = space(
        "uib-cifar", axes={"depth": [2, 1], "stage3.depth": [2, 3], "second": [3], "width": [12, 24, 40, 72, 96]}
    )
    assert [narrow.axes[f"stage{stage}.depth"].values for stage in (1, 2, 3, 4)] == [(1, 2), (1, 2), (2,), (1, 2)]
    assert [narrow.axes[f"stage{stage}.width"].values for stage in (1, 4)] == [(12,), (72, 96)]
    assert narrow.axes["stage4.block1.second"].values == (3,) and "stage4.block2.first" not in narrow.axes


def test_presets_go_by_the_images_size():
    made = [UIB.space(UIB.Options(), side, 10) for side in (8, 32, 224, 320)]
    assert [each.preset for each in made] == [PRESETS[name] for name in ("uib-digits", "uib-cifar", "uib", "uib")]
    assert [each.axes["resolution"].values for each in made[2:]] == [(224,), (224, 272, 320)]
    cifar = made[1]
    least, most = (analytic(cifar.blocks(arch)).macs for arch in (cifar.smallest(), cifar.largest()))
    assert 5e6 < least < 7e6 and 55e6 < most < 60e6


@pytest.mark.parametrize("side", [32, 64, 128, 224])
def test_fast_presets_have_channels_in_blocks_of_16_and_littles_far_below_big(side):
    fast = UIB.space(UIB.Options(preset=f"uib-fast-{side}"), side, 10)
    archs = [fast.smallest(), fast.largest(), *(fast.sample(stream(0, side, i)) for i in range(20))]
    layers = [layer for arch in archs for each in fast.blocks(arch)[1:] for layer in each.layers]
    assert all(layer.out_channels % 16 == 0 for layer in layers if layer.kind == "conv")
    little, big = (analytic(fast.blocks(arch)).macs for arch in archs[:2])
    assert 20 * little < big and 2 * fast.blocks(archs[0])[1].macs < little


def test_plain_weight_sharing_extracts_and_folds():
    table = UIB.Options(preset="uib-digits")
    net = UIB.supernet(UIB.space(table, 8, 5), (0.5,) * 3, (0.25,) * 3, stream(0, "init"), table).eval()
    images = torch.rand(2, 3, 8, 8)
    for i in range(6):
        arch = net.space.sample(stream(0, i))
        plain = net.extract(arch)
        assert torch.equal(plain(images), net(images, arch))
        torch.testing.assert_close(folded(plain)(images), plain(images), rtol=1e-3, atol=1e-4)


def test_the_documented_recipes_are_what_they_say():
    text = (Path(__file__).parents[2] / "docs" / "parts" / "uib.md").read_text(encoding="utf-8")
    narrow, pair = (parse(tomllib.loads(part.split("```")[0])) for part in text.split("```toml\n")[1:])
    cifar = UIB.space(narrow.space, 32, 10)
    assert [cifar.axes[f"stage{stage}.depth"].values for stage in (1, 2)] == [(1,), (1, 2)]
    problem = Problem(GOAL, Prices(pair_space(space(), pair.pair.coupling)))
    assert Fixed(problem, Fixed.Options(pair=pair.search.pair), 0).ask(1)
    archs = [space().arch(arch=name) for name in KHYPER]
    assert not any(space().contains(big, little) for little, big in itertools.permutations(archs, 2))


def test_every_form_exports_to_onnx(size=7):
    """At any batch size, with a map of an odd side."""
    narrow = {"width": [12, 24], "stage1.depth": [2], "stage2.depth": [2]}
    table = UIB.Options(preset="uib-digits", axes=narrow)
    net = UIB.supernet(UIB.space(table, size, 5), (0.5,) * 3, (0.25,) * 3, stream(0, "init"), table).eval()
    forms = {"stage1_block0_first": 0, "stage1_block1_second": 0, "stage2_block0_first": 0, "stage2_block0_second": 0}
    arch = net.space.arch(**forms)
    assert set(net.space.forms(arch).values()) == set(FORMS.values())
    exported = export_module(net.extract(arch), torch.rand(2, 3, size, size), "images", "logits", 18)
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])
    for n in (1, 5):
        images = torch.rand(n, 3, size, size)
        with torch.inference_mode():
            logits = net(images, arch)
        np.testing.assert_allclose(session.run(None, {"images": images.numpy()})[0], logits, rtol=1e-3, atol=1e-4)


def test_the_report_names_the_forms():
    whole = space()
    little, big = ([spec.to_json() for spec in whole.blocks(whole.arch(arch=f"khyper-{size}"))] for size in "sl")
    drawn = architectures({"blocks": {"little": little, "big": big}, "shared": 0, "coupling": "sibling", "pair": {}})
    page = str(drawn.wide)
    assert "ConvNext-like · 5, 0 · 48 ch" in page and "FFN · 0, 0 · 352 ch" in page
    assert "Extra DW, first depthwise 5×5, second depthwise 3×3, stride 2, expansion 6" in page
    assert "0, 5" in str(drawn.narrow)


def test_a_published_networks_kernels_are_narrowed_where_there_are_any():
    whole = space("mobilenetv4-conv-s", 64, 5)
    assert whole.axes["stage3.block0.first"].values == (3, 5) and whole.axes["stage3.block1.first"].values == (0,)
    assert whole.axes["stage3.depth"].values == (1, 2, 3, 4, 5, 6) and "stage1.block0.first" not in whole.axes
    assert whole.axes["resolution"].values == (32, 64)
    assert space("mobilenetv4-conv-m", 64).axes["stage4.depth"].values == (1, 3, 5, 7, 9, 11)
    narrow = space("mobilenetv4-conv-s", 64, 5, axes={"first": [0, 3], "expansion": [1.0], "stage3.width": [48, 96]})
    assert narrow.axes["stage3.block0.first"].values == (3,) and narrow.axes["stage3.block1.expansion"].values == (1.0,)
    with pytest.raises(DuonasError, match=r"first keeps no value of stage3\.block0\.first: keep some of \[3, 5\]"):
        space("mobilenetv4-conv-s", 64, 5, axes={"first": [0]})
    with pytest.raises(DuonasError, match="has no axis 'expansion'"):
        space("uib-cifar", axes={"expansion": [1.0]})
