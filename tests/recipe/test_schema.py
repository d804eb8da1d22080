"""Recipes: what is shipped loads, what is written reads back, what is wrong is said in one sentence."""

from __future__ import annotations

import dataclasses
import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.core.errors import DuonasError
from duonas.recipe.read import default_folder, dumps, find, headline, load, shipped
from duonas.recipe.schema import Recipe, options_for, parse, plugin_hashes, rechosen, to_tables
from duonas.routing.options import TARGETS, RouteOptions
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.weights.kshot import Kshot
from duonas.training.options import TrainOptions
from duonas.training.rules.cotrain import Cotrain

OWN = """
from dataclasses import dataclass
from duonas.baselines.baseline import Baseline
from duonas.routing.score import Score
from duonas.training.options import TrainOptions
from duonas.training.rule import Rule

class Rest(Rule):
    @dataclass(frozen=True)
    class Options(TrainOptions):
        patience: int = 1

    def step(self, network, given): ...

class First(Score):
    def __call__(self, logits):
        return logits[:, 0]

class Net(Baseline):
    def build(self, classes, image_size, mean, std): ...
"""

finite = st.floats(min_value=1e-9, max_value=1e12)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
axis_values = st.lists(st.one_of(st.integers(-(2**31), 2**31), finite, st.booleans(), texts), min_size=1, max_size=4)

COMPLETE = [name for name in shipped() if name not in ("own-images", "cascade")]  # which need the user's own


def test_shipped_recipes_load_and_say_what_they_are_for():
    assert {"quickstart", "cifar10-cpu", "cifar10", "cifar100"} <= set(shipped())
    assert all(len(headline(name)) > 20 for name in shipped())
    assert all(isinstance(load(name), Recipe) for name in COMPLETE)


def test_a_stored_recipe_reads_back_equal():
    for name in COMPLETE:
        assert parse(tomllib.loads(dumps(load(name)))) == load(name)


@given(
    seed=st.integers(-(2**62), 2**62),
    preset=st.none() | texts,
    axes=st.dictionaries(texts, axis_values, max_size=3),
    constraints=st.dictionaries(st.sampled_from(["expected_macs", "peak_macs", "params"]), finite),
    lr=finite,
    floor=st.none() | st.floats(0, 1),
)
def test_any_recipe_reads_back_equal(seed, preset, axes, constraints, lr, floor):
    recipe = Recipe(
        seed=seed,
        space=MobileNet.Options(preset=preset, axes=axes),
        train=options_for("train", lr=lr),
        search=options_for("search", constraints=constraints),
        route=options_for("route", floor=floor),
    )
    assert parse(tomllib.loads(dumps(recipe))) == recipe


def _written(default):
    """A table inside holds what is set."""
    if not dataclasses.is_dataclass(default):
        return default
    return {name: value for name, value in dataclasses.asdict(default).items() if value is not None}


def test_every_default_is_written_out():
    written = tomllib.loads(dumps(Recipe()))
    for field in dataclasses.fields(TrainOptions):
        default = getattr(options_for("train"), field.name)
        assert written["train"].get(field.name) == _written(default)


def test_overrides_are_toml_and_bare_words_are_text():
    recipe = load(
        "digits",
        [
            "seed=7",
            "train.epochs = 3",
            "train.schedule=exponential",
            "train.lr=1e-3",
            "data.flip=true",
            "data.name=folder",
            "data.path=/a folder/with:signs.py:NAME",
            "space.axes.kernel=[3, 5]",
            "search.constraints.expected_macs=2e6",
            'search.objectives=["accuracy", "expected_macs"]',
        ],
    )
    assert recipe.seed == 7
    assert (recipe.train.epochs, recipe.train.schedule, recipe.train.lr) == (3, "exponential", 1e-3)
    assert recipe.data.flip is True and recipe.data.path == "/a folder/with:signs.py:NAME"
    assert recipe.space.axes == {"kernel": [3, 5]}
    assert recipe.search.constraints == {"expected_macs": 2e6}
    assert recipe.search.objectives == ("accuracy", "expected_macs")


def test_a_value_that_smuggles_in_a_second_key_is_text():
    assert load("digits", ["data.name=folder", "data.path=1\nseed = 9"]).data.path == "1\nseed = 9"


def test_an_empty_override_takes_the_key_out(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepochs = 3\n")
    assert load(file, ["train.epochs="]) == Recipe()


@pytest.mark.parametrize("target", ["floor=0.5", "budget=1e6", "share=0.5", "latency=2"])
def test_a_target_given_by_override_takes_the_place_of_the_files(tmp_path, target):
    for other in ("floor = 0.9", "budget = 5e6", "share = 0.9"):
        file = tmp_path / "mine.toml"
        file.write_text(f"[route]\n{other}\n")
        route = load(file, [f"route.{target}"]).route
        name, value = target.split("=")
        assert {n: getattr(route, n) for n in TARGETS if getattr(route, n) is not None} == {name: float(value)}


def test_rare_classes_are_made_up_for_once():
    with pytest.raises(DuonasError, match="would make up for rare classes twice: choose one of them"):
        load("digits", ["train.class_weights=balanced", "train.sampling=balanced"])


def test_finetuning_weighs_classes_as_the_supernet_does():
    recipe = load("digits", ["train.class_weights=balanced", "finetune.mode=scratch"])
    assert recipe.finetune.over(recipe.train).class_weights == "balanced"
    assert recipe.baselines.over(recipe.train).class_weights == "balanced"


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("route.latency=0.2 ms", 0.2), ("route.latency=200us", 0.2), ("route.latency='0.2ms'", 0.2),
        ("route.floor=90%", 0.9), ("route.share=57 %", 0.57), ("route.budget=5M", 5e6), ("route.budget='5e6'", 5e6),
        ("route.watts=750mW", 0.75), ("route.confidence=99%", 0.99), ("data.val=5%", 0.05), ("train.ema=99.9%", 0.999),
        ("train.checkpoint_seconds=2min", 120), ("search.constraints.peak_macs=2.4M", 2.4e6),
        ("search.constraints.weight_bytes=300KB", 300_000), ("search.constraints.peak_memory_bytes=320 KiB", 327_680),
        ("search.constraints.little_params=40k", 40_000), ("search.constraints.peak_latency_ms=0.2 ms", 0.2),
    ],
)  # fmt: skip
def test_a_figure_may_be_a_text_with_a_unit(override, value):
    found = to_tables(load("digits", [override]))
    for key in override.partition("=")[0].split("."):
        found = found[key]
    assert found == value


def test_recipes_with_equal_figures_in_other_units_are_equal():
    assert load("digits", ["route.latency=0.2 ms"]) == load("digits", ["route.latency=200us"])
    assert Recipe(route={"floor": "90%"}) == Recipe(route={"floor": 0.9}) == Recipe(route=RouteOptions(floor="90%"))
    cotrain = {"rule": "cotrain", "loss": {"cost_budget": "5M"}}
    assert Recipe(train=cotrain).train.loss.cost_budget == 5e6


def test_a_new_target_may_be_a_text_with_a_unit():
    recipe = load("digits", ["route.floor=0.9"])
    assert rechosen(recipe, floor="90%") is recipe
    assert rechosen(recipe, latency="200us").route.latency == 0.2
    with pytest.raises(DuonasError, match=r"^\[route\] latency must be a time such as 2ms .*, got '5M'\.$"):
        rechosen(recipe, latency="5M")


def test_whole_numbers_serve_as_numbers():
    lr = load("digits", ["train.lr=1"]).train.lr
    assert lr == 1.0 and isinstance(lr, float)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=3", r"^--set train.epoch=3: \[train\] has no key 'epoch': did you mean 'epochs'\?"),
        ("trian.epochs=3", r"^--set trian.epochs=3: there is no table 'trian': did you mean 'train'\?"),
        ("epochs=3", r"^--set epochs=3: there is no key 'epochs': did you mean train.epochs or finetune.epochs or"),
        ("sed=3", r"^--set sed=3: there is no key 'sed': did you mean 'seed'\?"),
        ("train.epochs=many", r"\[train\] epochs must be a whole number, got 'many'"),
        ("train.epochs=3.5", r"\[train\] epochs must be a whole number, got 3.5"),
        ("train.epochs='3'", r"\[train\] epochs must be a whole number, got '3'"),
        ("train.epochs=true", r"\[train\] epochs must be a whole number, got True"),
        ("train.epochs=-1", r"\[train\] epochs must be at least 0, got -1"),
        ("train.lr=fast", r"\[train\] lr must be a number, got 'fast'"),
        ("train.lr=inf", r"\[train\] lr must be a finite number, got inf"),
        ("search.constraints.p95_latency=2ms", r"has no constraint 'p95_latency': did you mean 'p95_latency_ms', or"),
        ("search.constraints.params=nan", r"\[search\] constraints.params must be a finite number, got nan"),
        ("data.flip=1", r"\[data\] flip must be true or false, got 1"),
        ("data.name=3", r"\[data\] name must be text, got 3"),
        (
            "data.path=here",
            r"\[data\] has no key 'path': it is a key of \[data\] name = 'folder', 'table', 'cifar10', 'cifar100', "
            "'imagenet100' or 'visual_wake_words', "
            "but here that is 'digits'",
        ),
        ("data.val=1.5", r"\[data\] val must be below 1, got 1.5"),
        ("data.magnitude=31", r"\[data\] magnitude must be at most 30, got 31"),
        (
            "route.latency=2m",
            r"^--set route.latency=2m: \[route\] latency must be a time such as 2ms \(units: h, min, s, ",
        ),
        ("route.latency=2 mJ", r"\[route\] latency must be a time such as 2ms .* is in ms\), got '2 mJ'\.$"),
        ("route.latency=0ms", r"\[route\] latency must be above 0, got 0"),
        ("route.floor=90", r"\[route\] floor must be at most 1, got 90 \(for 90 percent, write 0.9 or '90%'\)\.$"),
        ("route.floor=110%", r"\[route\] floor must be at most 1, got 1.1"),
        ("search.constraints.weight_bytes=3 ms", r"\[search\] constraints.weight_bytes must be a size such as 300KB"),
        ("train.loss.cost_budget=5s", r"it is a key of \[train\] rule = 'cotrain'"),
        ("train.ema=-1", r"\[train\] ema must be at least 0, got -1"),
        ("train.rule=sandwhich", r"\[train\] rule has no choice 'sandwhich': did you mean 'sandwich'\?"),
        (
            "train.phases.depth=0.5",
            r"\[train\] has no key 'phases': it is a key of \[train\] rule = 'hybrid' or 'progressive', but here ",
        ),
        (
            "space.channels=4",
            r"\[space\] has no key 'channels': it is a key of \[space\] name = 'nasbench201', but here ",
        ),
        ("space.weights=kshoot", r"\[space.weights\] name has no choice 'kshoot': did you mean 'kshot'\?"),
        (
            "space.weights.rank=4",
            r"\[space.weights\] has no key 'rank': it is a key of \[space.weights\] name = 'kshot_h",
        ),
        ("space.weights=[3]", r"\[space\] weights must be a table, got \[3\]"),
        (
            "finetune.divergence=alfa",
            r"=alfa: \[finetune.divergence\] name has no choice 'alfa': did you mean 'alpha'\?",
        ),
        (
            "finetune.divergence.other_weight=2",
            r"no key 'other_weight': it is a key of \[finetune.divergence\] name = 'decoupled', but here",
        ),
        (
            "pair.little.name=mobilnet",
            r"=mobilnet: \[pair.little\] name has no choice 'mobilnet': did you mean 'mobilenet'",
        ),
        ("search.strategy=nsga3", r"\[search\] strategy has no choice 'nsga3': did you mean 'nsga2'\?"),
        ("search.routers=['lerned']", r"\[search\] routers has no choice 'lerned': did you mean 'learned'\?"),
        ("route.router=oracle", r"\[route\] router cannot be 'oracle': it reads the labels"),
        ("route.score=entrpy", r"\[route\] score has no choice 'entrpy': did you mean 'entropy'\?"),
        ("data.augmentations=['flop']", r"\[data\] augmentations has no choice 'flop': did you mean 'flip'\?"),
        ("train.rule=nowhere.py:Mine", r"\[train\] rule nowhere\.py:Mine: there is no file nowhere\.py"),
        ("space.kernel_transform=1", r"\[space\] kernel_transform must be true or false, got 1"),
        ("space.axes=3", r"\[space\] axes must be a table, got 3"),
        ("space.axes.kernel=3", r"\[space\] axes.kernel must be a list, got 3"),
        ("space.axes.kernel=[]", r"\[space\] axes.kernel must be a list with at least one value"),
        ("space.width_range=[0.25]", r"\[space\] width_range\[1\] must be given"),
        ("space.width_range=[0.25, 0.5, 1]", r"\[space\] width_range must be a shorter list"),
        ("space.width_range=[0, 1]", r"\[space\] width_range\[0\] must be above 0, got 0"),
        ("space.divisor=0", r"\[space\] divisor must be above 0, got 0"),
        ("pair.little_blocks=simpel", r"\[pair\] little_blocks has no choice 'simpel': did you mean 'simple'"),
        ("search.objectives=[3]", r"\[search\] objectives\[0\] must be text, got 3"),
        ("search.objectives=['accuracy', 'p95_latency_ms']", r"\[search\] has no objective 'p95_latency_ms'"),
        ("search.constraints.p96_latency_ms=2", r"\[search\] has no constraint 'p96_latency_ms': did you mean 'p9"),
        ("route.budget=0", r"\[route\] budget must be above 0, got 0"),
        ("route.budget='2 apples'", r"\[route\] budget must be a number of MACs such as .* or a time such as 2ms"),
        ("search.objectives=['speed']", r"\[search\] has no objective 'speed'"),
        ("search.constraints.peak_mac=1", r"\[search\] has no constraint 'peak_mac': did you mean 'peak_macs',"),
        ("search.constraints.peak_macs=-1", r"\[search\] constraints.peak_macs must be above 0, got -1"),
        ("seed=x", r"^--set seed=x: seed must be a whole number, got 'x'"),
        ("threads=0", r"threads must be above 0, got 0"),
        ("trackers=wandb", r"trackers must be a list, got 'wandb'"),
        ("trackers=['wnadb']", r"trackers has no choice 'wnadb': did you mean 'wandb'\?"),
        ("threads=nan", r"threads must be a whole number, got"),
        ("seed=inf", r"seed must be a whole number, got"),
        ("train=3", r"\[train\] must be a table, got 3"),
        ("train.epochs=1979-05-27", r"\[train\] epochs must be a whole number, got '1979-05-27'"),
        ("seed.deep=3", r"cannot read --set 'seed.deep=3': 'seed' is a value, not a table"),
        ("train.epochs", r"cannot read --set 'train.epochs': expected table.key=value"),
        ("=3", r"cannot read --set '=3': expected table.key=value"),
        ("train.=3", r"cannot read --set 'train.=3': expected table.key=value"),
    ],
)
def test_mistakes_are_told_in_one_sentence(override, message):
    with pytest.raises(DuonasError, match=message) as error:
        load("digits", [override])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.phases.kernal=0.1", r"\[train.phases\] has no key 'kernal': did you mean 'kernel'\?"),
        ("train.phases.depth=1.0", r"\[train\] phases.depth must be below 1, got 1.0"),
        ("train.phases=0.5", r"\[train\] phases must be a table, got 0.5"),
        ("train.progressive_share=1", r"\[train\] progressive_share must be below 1, got 1"),
        ("train.then=progressive", r"\[train\] then has no choice 'progressive'"),
    ],
)
def test_mistakes_in_a_parts_own_keys_are_told_likewise(override, message):
    with pytest.raises(DuonasError, match=f"^--set {re.escape(override)}: {message}"):
        load("digits", ["train.rule=hybrid", override])


@pytest.mark.parametrize(
    ("file", "overrides", "left"),
    [
        ("[train]\nrandom_archs = 1\nlr = 0.2\n", ["train.rule=uniform"], {"rule": "uniform", "lr": 0.2}),
        ("[train]\nrule = 'cotrain'\nloss.gamma = 0.1\nrandom_archs = 1", ["train.rule=sandwich"], {"random_archs": 1}),
        ("[route]\nscore = 'entropy'\nfloor = 0.9", ["route.router=random"], {"router": "random", "floor": 0.9}),
        ("[space]\npreset='digits'\nblocks = 'simple'\nweights = 'kshot'\n", ["space.name=uib", "space.preset="],
         {"name": "uib"}),
        ("[space.weights]\nname = 'kshot-hypernet'\nrank = 4\ndictionary = 3", ["space.weights.name=kshot"], {}),
        ("[space.weights]\nname = 'kshot-hypernet'\nrank = 4\ndictionary = 3", ["space.weights=shared"], {}),
        ("[space]\nweights = 'kshot'", ["space.weights.dictionary=3"], {}),
        ("[search]\nrouters = ['learned']\n[route.learned]\nsteps = 3", ["search.routers="], {}),
    ],
)  # fmt: skip
def test_what_was_an_option_of_a_part_goes_with_it(tmp_path, file, overrides, left):
    (tmp_path / "mine.toml").write_text(file)
    recipe = load(tmp_path / "mine.toml", overrides)
    table = getattr(recipe, overrides[0].partition(".")[0])
    assert all(getattr(table, key) == value for key, value in left.items())
    with pytest.raises(DuonasError, match="has no key"):  # what the change itself gives stays, and is complained about
        load(tmp_path / "mine.toml", [*overrides, "train.rule=uniform", "train.random_archs=2"])


def test_a_table_is_the_options_of_its_parts():
    weights = ["space.weights=kshot", "space.weights.dictionary=3"]
    recipe = load("digits", ["train.rule=cotrain", *weights, "search.routers=['learned', 'window']"])
    assert isinstance(recipe.train, Cotrain.Options) and recipe.train.loss.alpha == 1.0
    assert isinstance(recipe.space, MobileNet.Options) and isinstance(recipe.space.weights, Kshot.Options)
    assert recipe.route.router == "confidence" and recipe.route.learned.steps == 100  # of a router to choose from
    assert recipe.data.flip is False and recipe == parse(to_tables(recipe))


def test_the_files_of_ones_own_parts_are_known_by_their_hashes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    keys = {"rule": "own.py:Rest", "patience": 3}
    recipe = Recipe(train=keys, route={"score": "own.py:First"}, baselines={"networks": ["own.py:Net", "resnet18"]})
    assert recipe.train.patience == 3 and parse(tomllib.loads(dumps(recipe))) == recipe
    before = plugin_hashes(recipe)
    assert before.keys() == {"own.py:Rest", "own.py:First", "own.py:Net"} and plugin_hashes(Recipe()) == {}
    assert all(len(digest) == 64 for digest in before.values())
    (tmp_path / "own.py").write_text(OWN + "# edited\n")
    assert plugin_hashes(recipe).keys() == before.keys() and plugin_hashes(recipe) != before
    with pytest.raises(DuonasError, match=r"\[train\] has no key 'patiense': did you mean 'patience'\?"):
        Recipe(train={"rule": "own.py:Rest", "patiense": 3})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "recipe mine.toml: [train] epochs must be at least 0, got -2."),
        (["train.lr=0.1", "data.flip=true"], "recipe mine.toml: [train] epochs must be at least 0, got -2."),
        (["train.epochs=-1", "train.lr=0.1"], "--set train.epochs=-1: [train] epochs must be at least 0, got -1."),
        (["train.lr=0", "train.epochs=9", "data.val=2"], "--set data.val=2: [data] val must be below 1, got 2."),
        (["train.epochs=9", "train.epochs=x"], "--set train.epochs=x: [train] epochs must be a whole number, "
         "got 'x'."),
    ],
)  # fmt: skip
def test_a_mistake_is_blamed_on_who_made_it(tmp_path, overrides, message):
    (tmp_path / "mine.toml").write_text("[train]\nepochs = -2\n")
    with pytest.raises(DuonasError) as error:
        load(tmp_path / "mine.toml", overrides)
    assert str(error.value) == message


def test_only_one_target_of_the_threshold():
    with pytest.raises(DuonasError, match=r"\[route\] takes one of floor, .*, energy, got floor and budget"):
        load("digits", ["route.floor=0.9", "route.budget=1e6"])
    with pytest.raises(DuonasError, match="got floor and share"):
        parse({"route": {"floor": 0.5, "share": 0.5}})


def test_another_target_leaves_the_search_as_it_was():
    searched = load("digits", ["route.budget=2e5", "search.constraints.params=9e4"])
    floor = rechosen(searched, floor=0.9)
    assert (floor.route.floor, floor.route.budget) == (0.9, None)
    assert floor.search.constraints == {"params": 9e4, "expected_macs": 2e5}
    again = rechosen(floor, budget=1e5, confidence=0.9)
    assert (again.route.budget, again.route.budget_in_search, again.route.confidence) == (1e5, False, 0.9)
    assert again.search.constraints == floor.search.constraints
    assert rechosen(again, budget=1e5) is again
    assert rechosen(again, share=0.5).route.budget_in_search
    with pytest.raises(DuonasError, match="no target"):
        rechosen(searched, confidence=0.9)
    with pytest.raises(DuonasError, match="got budget and share"):
        rechosen(searched, share=0.5, budget=3e5)
    with pytest.raises(DuonasError, match="no target 'flor'"):
        rechosen(searched, share=0.5, flor=0.5)


def test_a_new_budget_is_searched_for_though_the_recipe_was_one_of_a_later_choice(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(dumps(rechosen(load("digits"), budget=1e5)))
    assert not load(file).route.budget_in_search and load(file, ["route.budget=2e5"]).route.budget_in_search


def test_a_recipe_made_in_python_is_checked_too():
    with pytest.raises(DuonasError, match="epochs must be a whole number"):
        Recipe(train={"epochs": "many"})
    with pytest.raises(TypeError):
        Recipe(trian={})
    with pytest.raises(DuonasError, match="lr must be a finite number"):
        dataclasses.replace(Recipe(), train={"lr": float("nan")})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quikstart", r"there is no recipe 'quikstart': did you mean 'quickstart'\?"),
        ("missing.toml", "there is no recipe file missing.toml"),
        ("empty", "folder empty is not a run: it holds no recipe.toml"),
        ("broken.toml", "recipe broken.toml is not valid TOML"),
        ("latin.toml", "recipe latin.toml is not a text file in UTF-8"),
        ("blank.toml", r"recipe blank.toml is empty: it needs at least \[data\] name"),
        ("study.toml", "recipe study.toml: it has variants, so it is a study: run it with `duonas compare`"),
    ],
)
def test_recipes_that_cannot_be_read(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.toml").write_text("[train\n")
    (tmp_path / "blank.toml").write_text("# nothing yet\n")
    (tmp_path / "study.toml").write_text('title = "which?"\n[variants.a]\n')
    (tmp_path / "latin.toml").write_bytes("# \xe9\n".encode("latin-1"))
    with pytest.raises(DuonasError, match=message):
        load(name)


def test_a_folder_with_a_recipe_is_found_and_a_shipped_name_goes_before_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "digits"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.toml").write_text("seed = 5\n")
    assert load("mine").seed == 5
    assert load("digits") == load(find("digits"))
    assert load("digits").seed == 0


def test_a_run_of_another_version_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "recipe.toml").write_text("[train]\nrandom_arches = 2\n")
    (tmp_path / "stages.json").write_text("{}")
    with pytest.raises(
        DuonasError, match=r"cannot be continued \(another version of duonas made it, .*\): .*random_archs"
    ):
        load(tmp_path)


def test_where_a_run_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("")
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "recipe.toml").write_text("")
    assert str(default_folder("digits")) == "runs/digits"
    assert str(default_folder("mine.toml")) == "runs/mine"
    assert str(default_folder("done")) == "done"


def test_a_recipe_is_called_by_its_images() -> None:
    assert parse({}).summary == "digits images, mobilenet space, nested pairs"
    for name, path, called in (("table", "a/labels.csv", "images of labels.csv"), ("folder", "..", "images of ..")):
        assert parse({"data": {"name": name, "path": path}}).summary.startswith(f"{called}, ")
    assert parse({"data": {"name": "cifar10", "path": "shards"}}).summary.startswith("cifar10 images, ")


@pytest.mark.parametrize(
    ("export", "said"),
    [
        ({"precision": "int4"}, r"\[export\] precision has no choice 'int4': did you mean 'int8'\?"),
        ({"most_points_lost": 0.5}, r"\[export\] most_points_lost is for precision = 'int8', and precision is 'fp32'"),
        ({"precision": "int8", "most_points_lost": 0.5, "layer_images": 0}, r"are not known with layer_images = 0"),
        ({"precision": "int8", "most_points_lost": -1.0}, r"\[export\] most_points_lost must be"),
        ({"precision": "int8", "calibration_images": 0}, r"\[export\] calibration_images must be"),
    ],
)
def test_a_precision_that_cannot_be_is_refused(export, said):
    with pytest.raises(DuonasError, match=said):
        parse({"export": export})
