"""What can be said of a pair against guessing."""

from __future__ import annotations

import pytest

from duonas.measure.guessing import guessing

DRESS = {"class": "dress", "accuracy": 0.25, "better": False, "images": 48, "imbalance": 1.0}
WORST = {"worst_class": {"class": "shoe", "images": 12, "accuracy": 0.1}}


def test_too_few_images_to_tell_is_not_no_better_than_guessing():
    said = guessing(DRESS, {"accuracy": 17 / 48} | WORST, balanced=False)
    assert said == (
        "48 test images are too few to tell this pair from guessing: always answering 'dress' is right on 25.0% of "
        "them, the pair on 35.4%. A larger [data] test, or more images, would tell."
    )
    assert guessing(DRESS | {"better": True}, {"accuracy": 0.5} | WORST, balanced=False) == ""


@pytest.mark.parametrize(
    ("imbalance", "balanced", "advised"), [(1.9, False, False), (2.0, False, True), (9.0, True, False)]
)
def test_weights_are_advised_only_where_classes_are_unequal_and_none_are_set(imbalance, balanced, advised):
    said = guessing(DRESS | {"imbalance": imbalance}, {"accuracy": 0.25} | WORST, balanced=balanced)
    assert said.startswith("This pair is no better than guessing: always answering 'dress' is right on 25.0% of the 48")
    assert ("class_weights" in said) is advised and ("too short" in said) is not advised
