"""Law 11: a saved pair answers the same anywhere, with neither recipe, space nor supernet at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from duonas.core.couplings import possible_pairs
from duonas.core.errors import DuonasError
from duonas.core.files import read_json, write_json
from duonas.core.pair import PairArch
from duonas.core.plugin import load_plugin
from duonas.core.registry import find
from duonas.core.rng import stream
from duonas.costs.analytic import analytic
from duonas.layers.norm import recalibrate
from duonas.pair.build import build
from duonas.pair.facts import PairFacts
from duonas.pair.pair import Pair
from duonas.spaces.mobilenet import MobileNet
from duonas.spaces.nasbench201 import NasBench201
from duonas.spaces.uib import UIB
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.options import WeightsOptions
from duonas.supernet.pair import PairSupernet
from duonas.supernet.weights.kshot import Kshot
from duonas.supernet.weights.kshot_hypernet import KshotHypernet

SIDE = 8
SPACES = {
    "mobilenet": MobileNet.Options(preset="digits", squeeze_excite="on"),
    "mobilenet, two resolutions": MobileNet.Options(preset="cifar", axes={"depth": [1, 2]}),
    "mobilenet, kernels transformed": MobileNet.Options(preset="digits", kernel_transform=True),
    "mobilenet, switchable norms": MobileNet.Options(preset="digits", norm="switchable"),
    "mobilenet, switchable norms recalibrated": MobileNet.Options(preset="digits", norm="both"),
    "uib": UIB.Options(preset="uib-digits"),
    "nasbench201": NasBench201.Options(preset="nasbench201-small"),
}
WEIGHTS = (WeightsOptions(), Kshot.Options(), KshotHypernet.Options())
LOAD = """
import json, sys
from importlib.abc import MetaPathFinder

class Unimportable(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith(("duonas.spaces", "duonas.supernet", "duonas.training", "duonas.search", "duonas.recipe")):
            raise ImportError(name)

sys.meta_path.insert(0, Unimportable())
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from duonas.pair.pair import Pair
torch.set_num_threads(1)
for folder in sorted(Path(sys.argv[1]).iterdir()):
    pair, images = Pair.load(folder), load_file(folder / "images")["images"]
    with torch.inference_mode():
        save_file(pair(images)._asdict() | {"stem": pair.features(images).clone()}, folder / "answers")
"""


def images(side):
    return torch.from_numpy(stream(1, side).random((3, 3, side, side), dtype=np.float32))


def saved(options, side, folder):
    """A pair under every coupling that a space can have, saved; its answers by folder."""
    kind = find("space", options.name)
    space = build_space(kind, options, side, 5)
    little = None
    if options.name == "mobilenet":
        little = build_space(kind, replace(options, blocks="simple", squeeze_excite="preset"), side, 5)
    couplings = possible_pairs(space, None, little)
    answers = {}
    for name, pairs in couplings.items():
        roles = pairs.towers
        towers = [build_supernet(kind, pairs.spaces[role], (0.4,) * 3, (0.2,) * 3, stream(0, role), options)
                  for role in roles]  # fmt: skip
        supernet = PairSupernet(pairs, *towers).eval()
        arch = pairs.sample(stream(2, name))
        pair = supernet.extract_pair(arch)
        for tower in pair.towers().values():
            recalibrate(tower, [images(side)])
        into = folder / f"{options.name}-{options.weights.name}-{options.norm}-{name}"
        pair.save(into)
        save_file({"images": images(side)}, into / "images")
        with torch.inference_mode():
            answers[into] = pair.eval()(images(side))
    return answers


CASES = [
    # Of each family another kind of weights: processes take their time.
    pytest.param(list(zip(("mobilenet", "nasbench201", "uib"), WEIGHTS, strict=True)), id="each family"),
    *(pytest.param([(name, weights) for weights in WEIGHTS], id=name, marks=pytest.mark.slow) for name in SPACES),
]


@pytest.mark.parametrize("cases", CASES)
def test_a_saved_pair_loads_without_recipe_space_and_supernet(cases, tmp_path):
    """Every family, kind of weights and coupling: the same bits from a process that has nothing but the folder."""
    answers = {}
    for name, weights in cases:
        own = saved(replace(SPACES[name], weights=weights), 32 if "resolutions" in name else SIDE, tmp_path)
        couplings = {folder.name.rpartition("-")[2] for folder in own}
        stages = name != "nasbench201" and weights == WeightsOptions()  # that two networks can have in common
        assert couplings == {"nested", "sibling", "independent"} | ({"partial"} if stages else set())
        answers |= own
    subprocess.run([sys.executable, "-c", LOAD, str(tmp_path)], check=True, timeout=600)
    for folder, expected in answers.items():
        found = load_file(folder / "answers")
        for part, values in expected._asdict().items():
            assert torch.equal(found[part], values), (folder.name, part)


@pytest.fixture
def pair():
    options = MobileNet.Options(preset="digits", axes={"depth": [1, 2]})
    kind = MobileNet
    space = build_space(kind, options, SIDE, 3)
    supernet = build_supernet(kind, space, (0.4,) * 3, (0.2,) * 3, stream(0), options)
    pairs = possible_pairs(space)["nested"]
    return PairSupernet(pairs, supernet).eval().extract_pair(PairArch(space.smallest(), space.largest()))


def test_facts_survive_the_file(pair, tmp_path):
    pair.facts = replace(pair.facts, class_names=("a", "<b>", "é"), finetune="joint")
    pair.save(tmp_path)
    loaded = Pair.load(tmp_path)
    assert loaded.facts == pair.facts and not loaded.training
    assert PairFacts.from_json(json.loads(json.dumps(pair.facts.to_json()))) == pair.facts
    written = read_json(tmp_path / "pair.json")["pair"]
    assert written["little"]["values"]["stage1.width"] == 0.25 and written["little"]["choices"]["stage1.width"] == 0
    assert PairArch.from_json(written).little.choices == tuple(written["little"]["choices"].items())


def test_costs_are_the_sums_of_the_blocks(pair):
    facts = pair.facts
    for role in ("little", "big"):
        rest = getattr(facts.cost, role)
        assert facts.cost.stem + rest == facts.networks[role].macs == analytic(facts.blocks[role]).macs
        assert facts.networks[role].params == sum(value.numel() for value in pair.towers()[role].parameters())


def test_a_network_is_built_from_its_blocks_and_weights(pair):
    for role, network in pair.towers().items():
        again = build(pair.facts.blocks[role], network.state_dict())
        with torch.inference_mode():
            assert torch.equal(again(images(SIDE)), network(images(SIDE)))
    unknown = replace(pair.facts.blocks["big"][2], kind="mbcnv")
    with pytest.raises(DuonasError, match=r"kind 'mbcnv', for which no builder .* did you mean 'mbconv'"):
        build([unknown])


def test_without_shared_blocks_there_is_no_stem(pair):
    apart = replace(pair.facts, shared=0)
    towers = pair.towers()
    joined = Pair.join(towers["little"], towers["big"], apart)
    assert joined.stem is None
    with torch.inference_mode():
        for mine, other in zip(joined(images(SIDE))[:2], pair(images(SIDE))[:2], strict=True):
            assert torch.equal(mine, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.pop("version"), "another version of duonas wrote it: do its run again in a new folder"),
        (lambda value: value.pop("blocks"), "it lacks 'blocks'"),
        (lambda value: value.update(costs={"macs": {"stem": 1}}), "it is damaged"),
        (lambda value: value["blocks"]["big"][3].update(out_channels=7, nonsense=1), "it is damaged"),
    ],
)
def test_what_is_no_pair_is_refused_in_a_sentence(pair, tmp_path, change, message):
    pair.save(tmp_path)
    value = read_json(tmp_path / "pair.json")
    change(value)
    write_json(tmp_path / "pair.json", value)
    with pytest.raises(DuonasError, match=rf"pair\.json cannot be used: .*{message}"):
        Pair.load(tmp_path)


def test_weights_of_other_blocks_are_refused_in_a_sentence(pair, tmp_path):
    pair.save(tmp_path)
    (tmp_path / "little.safetensors").write_bytes((tmp_path / "big.safetensors").read_bytes())
    with pytest.raises(DuonasError, match=r"little\.safetensors does not have the weights that pair\.json describes"):
        Pair.load(tmp_path)


OWN = """
from torch import nn
from duonas.pair.build import block

@block("{kind}")
def shuffled(spec):
    return nn.Sequential(nn.Conv2d(spec.in_channels, spec.out_channels, 1), nn.ReLU())
"""
LOAD_OWN = "import sys; from pathlib import Path; from duonas.pair.pair import Pair; Pair.load(Path(sys.argv[1]))"


def test_own_kinds_of_blocks_are_found_by_their_file(pair, tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN.format(kind="shuffled"))
    load_plugin(f"{file}:shuffled", "block")
    before, after = (block.out_channels for block in pair.facts.blocks["big"][-2:])
    assert after == 3
    blocks = {role: list(each) for role, each in pair.facts.blocks.items()}
    networks = {}
    for each in blocks.values():
        own = replace(each[-2], name="mixed", kind="shuffled", in_channels=each[-2].out_channels, layers=())
        each.insert(-1, own)
    for role, network in pair.towers().items():
        networks[role] = build(blocks[role])
        own = networks[role].state_dict()
        networks[role].load_state_dict(own | {name: value for name, value in network.state_dict().items()})
    facts = replace(pair.facts, blocks={role: tuple(each) for role, each in blocks.items()})
    Pair.join(networks["little"], networks["big"], facts).save(tmp_path / "pair")
    source = read_json(tmp_path / "pair" / "pair.json")["sources"]["shuffled"]
    assert source["file"] == str(file) and source["name"] == "shuffled" and before
    subprocess.run([sys.executable, "-c", LOAD_OWN, str(tmp_path / "pair")], check=True, timeout=600)
    file.write_text(OWN.format(kind="shuffled") + "\n")
    with pytest.raises(DuonasError, match=r"kind 'shuffled' come from .*own\.py, which has changed since"):
        Pair.load(tmp_path / "pair")
    file.unlink()
    with pytest.raises(DuonasError, match=r"kind 'shuffled' come from .*own\.py, which does not exist"):
        Pair.load(tmp_path / "pair")
