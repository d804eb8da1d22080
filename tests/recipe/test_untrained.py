"""Recipes without a trained supernet: what they imply, and what they may not ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

import duonas
from duonas.core.errors import DuonasError
from duonas.recipe.schema import plugin_hashes, to_tables

OWN = str(Path(__file__).parents[2] / "examples" / "own_proxy.py") + ":Contrast"
CHOSEN = ["train.epochs=0", "search.strategy=zero_cost", "finetune.mode=scratch", "finetune.epochs=2"]


def load(*overrides):
    return duonas.load_recipe("digits", [*CHOSEN, *overrides])


@pytest.mark.parametrize(("overrides", "sentence"), [
    (["search.strategy=nsga2"], r"strategy = 'nsga2' needs accuracies, and \[train\] epochs = 0 trains no supernet"),
    (["finetune.mode=none"], r"mode = 'none' leaves the pair with the weights of the supernet, which \[train\] epochs"),
    (["finetune.epochs="], r"\[finetune\] is as long as \[train\] by default, where epochs = 0: give \[finetune"),
    (["train.steps=7"], r"epochs = 0 trains no supernet, and steps = 7 trains one: leave out one of them"),
    (["search.constraints.naswot=300"], r"naswot is not known before archs are evaluated, and \[train\] epochs = 0"),
    (["search.constraints.balanced_accuracy=0.5"], r"balanced_accuracy is not known before archs are evaluated"),
    (["baselines.networks=['resnet18']"], r"\[baselines\] networks are trained as long as \[train\] by default"),
    (["search.zero_cost.metric=naswo"], r"\[search\] has no zero_cost metric 'naswo': did you mean 'naswot'"),
    (["search.zero_cost.metric=expected_macs"], r"zero_cost metric cannot be by 'expected_macs', .* naswot"),
    (["search.zero_cost.candidates=0"], r"candidates must be above 0, got 0"),
    (["search.share=70"], r"\[search\] share must be below 1, got 70 \(for 70 percent, write 0.7 or '70%'\)"),
    (["search.share=0"], r"\[search\] share must be above 0, got 0"),
    (["train.epochs=-1"], r"\[train\] epochs must be at least 0, got -1"),
])  # fmt: skip
def test_what_needs_accuracies_or_is_wrong_is_one_sentence(overrides, sentence):
    with pytest.raises(DuonasError, match=sentence) as refused:
        load(*overrides)
    assert "\n" not in str(refused.value)


def test_the_pair_is_trained_from_scratch_by_default():
    table = {"search": {"strategy": "zero_cost"}, "finetune": {"epochs": 2}}
    recipe = duonas.Recipe(train={"epochs": 0}, **table)
    assert recipe.finetune.mode == "scratch" and not recipe.trains_supernet
    assert duonas.Recipe(**to_tables(recipe)) == recipe
    assert duonas.Recipe(train={"epochs": 1}, **table).finetune.mode == "joint"


def test_a_fixed_pair_needs_no_strategy_and_minutes_no_epochs():
    recipe = load("search.strategy=nsga2", "search.pair.little={ width = 0.5 }", "finetune.epochs=", "budget.minutes=5")
    assert not recipe.searches and recipe.assumed_share == 0.7
    assert load("search.share=55%").assumed_share == 0.55
    assert duonas.load_recipe("digits").assumed_share == 1


def test_a_metric_of_the_users_own_is_a_part_of_the_run():
    assert plugin_hashes(load(f"search.zero_cost.metric={OWN}")).keys() == {OWN}
