"""Every function of the Python interface refuses a wrong argument in one sentence."""

from __future__ import annotations

import pytest

import duonas
from duonas import DuonasError
from duonas.rundir.folder import RunFolder

RECIPE = duonas.Recipe()


def changed():
    """A recipe that was spoilt after it was built."""
    recipe = duonas.Recipe()
    object.__setattr__(recipe.train, "lr", float("nan"))
    return recipe


CALLS = {
    "a folder of None": (lambda: duonas.run(RECIPE, None), "a run's folder must be a path, got None"),
    "an empty folder": (lambda: duonas.run(RECIPE, ""), "a run's folder must be a path, got ''"),
    "no stage": (lambda: duonas.run(RECIPE, "x", until="trian"), "no stage 'trian': did you mean 'train'"),
    "a stage of None": (lambda: duonas.run(RECIPE, "x", until=None), "no stage None"),
    "a supernet of 5": (lambda: duonas.run(RECIPE, "x", supernet=5), "supernet must be a path, got 5"),
    "a spoilt recipe": (lambda: duonas.run(changed(), "x"), "[train] lr must be a finite number, got nan"),
    "a spoilt profile": (lambda: duonas.profile(changed()), "[train] lr must be a finite number, got nan"),
    "a recipe of 5": (lambda: duonas.load_recipe(5), "a recipe must be a path, got 5"),
    "overrides as one text": (lambda: duonas.load_recipe("digits", "seed=1"), "overrides must be a list of texts"),
    "overrides of 5": (lambda: duonas.load_recipe("digits", [5]), "overrides must be a list of texts"),
    "a study of None": (lambda: duonas.load_study(None), "a study must be a path, got None"),
    "a recipe as study": (lambda: duonas.compare(RECIPE, "x"), "load one with duonas.load_study"),
    "a run of 5": (lambda: duonas.rechoose(5, share=0.5), "a run's folder must be a path, got 5"),
    "another target": (lambda: duonas.rechoose("run", speed=3), "there is no target 'speed'"),
    "a target of None": (lambda: duonas.rechoose("run", share=None), "share must be a number, got None"),
    "a target of a list": (lambda: duonas.rechoose("run", share=[1]), "[route] share must be a number, got [1]"),
    "ranking None": (lambda: duonas.rank(None), "a run's folder must be a path, got None"),
    "huge images": (
        lambda: duonas.profile(duonas.load_recipe("digits", ["data.image_size=1000000"])),
        "1,797 images of 1000000 x 1000000 pixels do not fit into memory",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_one_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    RunFolder.open("run", RECIPE).close()
    call, message = CALLS[name]
    with pytest.raises(DuonasError) as caught:
        call()
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
