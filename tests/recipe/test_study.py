"""Studies: what a file says, and what is refused before anything runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from duonas.core.errors import DuonasError
from duonas.recipe.read import load
from duonas.recipe.study import load_study

STUDY = """
title = "Does it?"
base = "digits"
seeds = [0, 2]
conclusion = "It does."

[recipe]
train.epochs = 3
search.pair.little = { width = 0.5 }

[variants.plain]

[variants."trained apart"]
supernet = "plain"
finetune.mode = "independent"
"""


def written(tmp_path, text=STUDY):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_variants_are_the_base_with_changes(tmp_path):
    study = load_study(written(tmp_path), ["train.lr=0.3"])
    assert (study.name, study.title, study.seeds, study.conclusion) == ("mine", "Does it?", (0, 2), "It does.")
    plain, apart = (variant.recipe(2) for variant in study.variants)
    assert plain.seed == 2 and plain.train.epochs == 3 and plain.train.lr == 0.3 and plain.data.name == "digits"
    assert plain.finetune.mode == "none" and apart.finetune.mode == "independent"
    assert plain.train == apart.train and plain.search == apart.search
    assert [variant.supernet for variant in study.variants] == [None, "plain"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "seeds = [0, 2]",
            "seeds = [1, 1]",
            r"seeds must be different whole numbers such as \[0, 1, 2\], got \[1, 1\]",
        ),
        ("seeds = [0, 2]", "seeds = []", "seeds must be different whole numbers"),
        ("seeds = [0, 2]", "seed = 3", "has no key 'seed': did you mean 'seeds'"),
        ('supernet = "plain"', 'supernet = "plan"', "uses the supernet of 'plan'.*did you mean 'plain'"),
        ('supernet = "plain"', 'supernet = "trained apart"', "which is not a variant that trains one"),
        ("train.epochs = 3", "train.epoch = 3", r"of variant 'plain': \[train\] has no key 'epoch'"),
        ('base = "digits"', 'base = "quickstar"', "did you mean 'quickstart'"),
        ("[variants.plain]", "[variants", "is not valid TOML"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, old, new, message):
    assert old in STUDY
    with pytest.raises(DuonasError, match=message):
        load_study(written(tmp_path, STUDY.replace(old, new)))


def test_the_mistakes_of_all_variants_are_one_list(tmp_path):
    text = STUDY.replace("[variants.plain]", "[variants.plain]\ntrain.epoch = 3").replace('"independent"', '"alone"')
    with pytest.raises(DuonasError) as caught:
        load_study(written(tmp_path, text))
    first, *items = str(caught.value).split("\n- ")
    assert first.endswith("mine.toml cannot be run:") and len(items) == 2
    assert "variant 'plain': [train] has no key 'epoch'" in items[0]
    assert "variant 'trained apart': [finetune] mode has no choice 'alone'" in items[1]


def test_an_override_answers_for_its_own_mistakes(tmp_path):
    with pytest.raises(DuonasError, match=r"^--set train.epoch=3: \[train\] has no key 'epoch'"):
        load_study(written(tmp_path), ["train.lr=0.3", "train.epoch=3"])


def test_the_study_in_the_docs_is_sound(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "using" / "comparing.md").read_text(encoding="utf-8")
    study = load_study(written(tmp_path, re.search(r"```toml\n(# margin.*?)```", page, re.DOTALL)[1]))
    assert [variant.name for variant in study.variants] == ["trained apart", "shared", "co-trained"]
    given = re.search(r"```toml\n(\[recipe.search.pair\].*?)```", page, re.DOTALL)[1]
    more = load_study(written(tmp_path, given + "[variants.one]\n"))
    assert more.variants[0].recipe(0).search.pair.little == {"width": 0.5, "depth": 1}


BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
OF_PAPERS = set(BENCHMARKS.glob("paper-*/*.toml"))  # tables and figures, see tests/paper
TABLES = sorted({*BENCHMARKS.rglob("*.toml")} - OF_PAPERS)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_studies_of_the_benchmarks_are_sound(path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    if "variants" in tomllib.loads(path.read_text(encoding="utf-8")):
        assert load_study(path).variants
    else:
        load(path)


def test_a_study_of_nothing_is_refused(tmp_path):
    with pytest.raises(DuonasError, match="has no variants"):
        load_study(written(tmp_path, 'base = "digits"'))
    with pytest.raises(DuonasError, match="there is no study file"):
        load_study(tmp_path / "none.toml")


def test_a_target_of_the_threshold_takes_the_place_of_the_base_s(tmp_path):
    variant = load_study(written(tmp_path, STUDY.replace("train.epochs = 3", "route.budget = 5e5"))).variants[0]
    assert (variant.recipe(0).route.budget, variant.recipe(0).route.share) == (5e5, None)  # digits has a share
    other = load_study(written(tmp_path), ["route.floor=0.5"]).variants[0].recipe(0).route
    assert (other.floor, other.share) == (0.5, None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('base = "digits"', "base = 3", "base must be a recipe's name or file, got 3"),
        ('finetune.mode = "independent"', "seed = 1", r"seeds are the same for all variants"),
    ],
)
def test_what_a_study_has_once_is_not_given_twice(tmp_path, old, new, message):
    with pytest.raises(DuonasError, match=message):
        load_study(written(tmp_path, STUDY.replace(old, new)))


def test_an_empty_table_takes_constraints_away_and_leaves_other_tables(tmp_path):
    (tmp_path / "free.toml").write_text(
        'base = "digits"\n[recipe.search]\nconstraints = { params = 100000 }\nevaluations = 7\n'
        "[variants.bound]\n[variants.bound.search]\n[variants.free.search]\nconstraints = {}\n"
    )
    bound, free = (each.recipe(0).search for each in load_study(tmp_path / "free.toml").variants)
    assert dict(bound.constraints) == {"params": 100000} and not free.constraints
    assert bound.evaluations == free.evaluations == 7
