"""Keys that another key leaves without effect are said, and no shipped recipe has any."""

from __future__ import annotations

import pytest

from duonas.core.errors import DuonasError
from duonas.recipe.idle import TABLE, idle_keys
from duonas.recipe.own_images import NAME
from duonas.recipe.read import load, shipped

CASES = [
    (["finetune.mode=none", "finetune.epochs=3", "finetune.loss.alpha=2"],
     "finetune.epochs, finetune.loss.alpha have no effect: [finetune] mode = 'none' trains no pair."),
    (["finetune.mode=independent", "finetune.loss.beta=2"],
     "finetune.loss.beta has no effect: [finetune] mode = 'independent' trains each network by itself, on labels."),
    (["finetune.mode=joint", "finetune.loss.little_share=0.4"], "weighting is 'equal'"),
    (["train.steps=9", "train.epochs=7"], "train.epochs has no effect: [train] steps takes the place of epochs."),
    (["finetune.mode=joint", "finetune.steps=9", "finetune.epochs=7"], "[finetune] steps takes the place"),
    (["baselines.networks=['resnet18']", "baselines.steps=9", "baselines.epochs=7"], "[baselines] steps takes"),
    (["baselines.lr=0.2"], "baselines.lr has no effect: [baselines] names no networks"),
    (["baselines.plain=true", "baselines.steps=9"], "the plain network is trained for as long as"),
    (["budget.supernet=0.4", "budget.pair=0.5"], "budget.supernet, budget.pair have no effect: [budget] has no"),
    (["train.rule=largest", "train.warm_start=0.2"], "trains the largest arch anyway"),
    (["train.coefficients=annealed"], "[space.weights] has no coefficients"),
    (["train.rule=uniform", "train.temperature=3"], "learns from labels alone"),
    (["train.lr_end=0.2"], "[train] schedule = 'cosine'"),
    (["train.pretrained_lr=0.2"], "no pretrained weights are asked for"),
    (["train.rule=cotrain", "train.loss.gate_tau=0.7"], "nothing has a gate"),
    (["train.rule=cotrain", "train.loss.cost_budget=1e6"], "the weight cost of [train.loss] is 0"),
    (["train.rule=cotrain", "train.loss.peak_budget=1e6"], "the weight peak of [train.loss] is 0"),
    (["export.layer_images=7"], "[export] precision is not 'int8'"),
    (["pair.splits=[1]"], "only [pair] coupling = 'partial'"),
    (["route.confidence=0.9"], "[route] has no floor"),
    (["route.budget_in_search=false"], "[route] has no budget"),
    (["route.watts=5"], "[route] has no energy"),
    (["pair.coupling=given", 'pair.given={ little = ["a.onnx"], big = ["b.onnx"] }', "finetune.mode=none",
      "train.lr=0.2"], "networks of [pair.given] are neither searched for nor trained"),
    (["search.strategy=random", "search.warm_start=runs/a"], "search.warm_start has no effect: only the strategies"),
    (["search.ray=auto", "search.workers=2"], "[search] ray has as many workers"),
    (["search.pair={}", "search.evaluations=7"], "[search.pair] names the pair"),
    (["train.epochs=0", "finetune.epochs=1", "finetune.mode=joint", "search.strategy=zero_cost",
      "train.warm_start=0.2"], "train.warm_start, search.evaluations have no effect: [train] epochs = 0 trains no"),
    (["search.strategy=zero_cost", "search.evaluations=7"], "strategy = 'zero_cost' proposes a single pair"),
    (["search.share=0.5"], "search.share has no effect: the search finds the little share"),
]  # fmt: skip


def said(overrides):
    given = [text for text in overrides if ".epochs" not in text]  # --set epochs takes steps away
    tables = [text for text in overrides if ".epochs" in text]
    return idle_keys(load("digits", [*tables, *given]))


@pytest.mark.parametrize(("overrides", "sentence"), CASES, ids=lambda value: str(value)[:40])
def test_each_is_one_sentence(overrides, sentence):
    if any(text.startswith("search.pair") for text in overrides):
        overrides = ["search.pair.little={width = 0.5}", *overrides[1:]]
    assert any(sentence in each and each.endswith(".") for each in said(overrides)), said(overrides)


def test_every_row_of_the_table_has_a_case():
    whole = [each for overrides, _ in CASES for each in [overrides] if each]
    assert len(whole) == len(TABLE)


@pytest.mark.parametrize("name", [name for name in shipped() if name != NAME])
def test_the_shipped_recipes_have_none(name):
    overrides = [] if "images" not in name else ["data.path=x"]
    assert idle_keys(load(name, overrides)) == ()


def test_a_little_that_learns_nothing_is_refused():
    for overrides in (["finetune.mode=joint", "finetune.loss.alpha=0", "finetune.loss.beta=0"],
                      ["train.rule=cotrain", "train.loss.alpha=0", "train.loss.beta=0"]):  # fmt: skip
        with pytest.raises(DuonasError, match="alpha and beta are 0, so little learns nothing"):
            load("digits", overrides)
    load("digits", ["finetune.mode=joint", "finetune.loss.alpha=0"])
    load("digits", ["finetune.mode=none", "finetune.loss.alpha=0", "finetune.loss.beta=0"])
    load("digits", ["finetune.mode=joint", "finetune.loss={alpha = 0, beta = 0, consistency = 1}"])
