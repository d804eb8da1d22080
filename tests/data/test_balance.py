from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duonas.core.rng import stream
from duonas.data.balance import balanced_order, balanced_weights, image_weights

labels_of = st.lists(st.integers(0, 5), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(labels_of)
def test_classes_weigh_the_same_and_images_one_on_average(labels: list[int]) -> None:
    weights = balanced_weights(torch.tensor(labels), 7)
    counts = Counter(labels)
    totals = [float(weights[label]) * count for label, count in counts.items()]
    assert np.allclose(totals, len(labels) / len(counts), rtol=1e-5)
    assert all(weights[label] == 0 for label in range(7) if label not in counts)
    assert np.isclose(float(image_weights(torch.tensor(labels), weights).mean()), 1.0, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(labels_of, st.integers(0, 1000))
def test_an_order_has_every_class_equally_often_and_no_image_early_again(labels: list[int], seed: int) -> None:
    array = np.array(labels)
    order = balanced_order(array, stream(seed))
    assert len(order) == len(labels)
    classes = Counter(array[order].tolist())
    assert classes.keys() == set(labels) and max(classes.values()) - min(classes.values()) <= 1
    for label in set(labels):
        drawn = [int((order == index).sum()) for index in np.flatnonzero(array == label)]
        assert max(drawn) - min(drawn) <= 1
    assert np.array_equal(order, balanced_order(array, stream(seed)))


def test_classes_of_equal_size_are_an_ordinary_order() -> None:
    labels = np.arange(40) % 4
    assert sorted(balanced_order(labels, stream(0))) == list(range(40))
    assert torch.equal(balanced_weights(torch.from_numpy(labels), 4), torch.ones(4))


def test_a_mixed_image_has_the_mean_weight_of_its_classes() -> None:
    weights = torch.tensor([0.5, 4.0])
    assert image_weights(torch.tensor([[1.0, 0.0], [0.25, 0.75]]), weights).tolist() == [0.5, 3.125]
