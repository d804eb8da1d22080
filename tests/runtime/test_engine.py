"""Engines are found by name, and the user's own by its class."""

from __future__ import annotations

import numpy as np
import pytest

from duonas.runtime import Bundle, BundleError
from duonas.runtime.engine import Answer, Engine, engine_names, find_engine


class Lots(Engine):
    """An engine of the user's own, which answers class 1 for every image and draws no border."""

    image_shape = (3, 12, 12)

    @classmethod
    def open(cls, folder, policy, settings):
        found = cls()
        found.settings = settings
        return found

    def run(self, images, tau):
        if len(images) == 13:
            raise RuntimeError("not on a\nFriday")
        logits = np.tile(np.eye(5, dtype=np.float32)[1], (len(images), 1))
        return Answer(logits, np.zeros(len(images), np.float32), np.ones(len(images), bool))


class Far(Lots):
    """An engine for another machine."""

    @classmethod
    def missing(cls):
        return "it needs a quantum"


def test_every_engine_has_the_name_of_its_file():
    names = engine_names()
    assert "onnxruntime" in names
    assert [find_engine(name).name for name in names] == names


def test_an_engine_of_ones_own_answers(exported, images):
    bundle = Bundle.load(exported[2], threads=3, engine=Lots)
    assert bundle.predict(images[:4]).labels.tolist() == [1] * 4
    assert bundle._engine.settings == (3, False)


def test_the_default_is_onnx_runtime(exported, images):
    named = Bundle.load(exported[2], engine="onnxruntime").predict(images[:50])
    for one, other in zip(named, Bundle.load(exported[2]).predict(images[:50]), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        ("onnxruntine", "there is no engine 'onnxruntine': did you mean 'onnxruntime'?"),
        ("abacus", "there is no engine 'abacus': expected one of "),
        (Far, "the engine 'test_engine' cannot run here: it needs a quantum."),
        (7, "there is no engine 7: expected one of "),
    ],
)
def test_an_engine_that_is_not_there_is_refused(exported, engine, told):
    with pytest.raises(BundleError) as error:
        Bundle.load(exported[2], engine=engine)
    assert str(error.value).startswith(told) and "\n" not in str(error.value)


def test_what_an_engine_cannot_run_is_told_in_one_line(exported, images):
    with pytest.raises(BundleError, match=r"^test_engine cannot run this bundle: not on a Friday\.$"):
        Bundle.load(exported[2], engine=Lots).predict(images[:13])
