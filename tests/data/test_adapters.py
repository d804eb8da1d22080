"""Arrays and PyTorch data sets as a data source of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from duonas.core.errors import DuonasError
from duonas.data.adapters import from_arrays, from_dataset
from duonas.data.decode import decode_all
from duonas.data.inspect import inspect_data
from duonas.data.sources.digits import Digits
from duonas.data.splits import load_splits
from duonas.recipe.schema import options_for
from duonas.runtime.prepare import Preparation

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (12, 9, 9, 3), dtype=np.uint8)
LABELS = [0, 1] * 6


def pixels_of(listing) -> np.ndarray:
    """(N, H, W, 3) uint8."""
    pixels, facts = decode_all(listing.images, Preparation(9))
    assert set(facts.broken) == {""}
    return pixels.permute(0, 2, 3, 1).numpy()


class Photos:
    """A data set of Pillow images, as torchvision has them."""

    classes = ("cat", "dog")
    targets = LABELS

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, i):
        return Image.fromarray(PIXELS[i]), LABELS[i]


@pytest.mark.parametrize(
    "images", [PIXELS, PIXELS.transpose(0, 3, 1, 2), list(PIXELS), torch.from_numpy(PIXELS), (PIXELS / 255).astype("f")]
)
def test_arrays_of_any_layout(images) -> None:
    assert np.array_equal(pixels_of(from_arrays(images, LABELS)), PIXELS)


def test_grey_arrays_and_arrays_of_several_sizes() -> None:
    grey = pixels_of(from_arrays(PIXELS[..., 0], LABELS))
    assert np.array_equal(grey, np.repeat(PIXELS[..., :1], 3, axis=3))
    listing = from_arrays(
        [np.zeros((4, 5), np.uint8), np.zeros((6, 7, 3), np.uint8)], [0, 1], ["a", "b"], ["train", "test"]
    )
    facts = decode_all(listing.images, Preparation(4))[1]
    assert facts.width.tolist() == [5, 7] and listing.splits.tolist() == ["train", "test"]


def test_data_sets_of_images_and_of_tensors() -> None:
    listing = from_dataset(Photos())
    assert np.array_equal(pixels_of(listing), PIXELS)
    assert listing.class_names == ("cat", "dog") and listing.labels.tolist() == LABELS and set(listing.splits) == {""}
    tensors = TensorDataset(torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 255, torch.tensor(LABELS))
    assert np.array_equal(pixels_of(from_dataset(tensors)), PIXELS)
    both = from_dataset({"train": Photos(), "test": tensors})
    assert both.splits.tolist() == ["train"] * 12 + ["test"] * 12 and both.class_names == ("cat", "dog")
    assert len(set(both.names)) == 24


def test_an_own_source_of_a_few_lines(tmp_path: Path) -> None:
    source = tmp_path / "photos.py"
    source.write_text(
        "import numpy as np\n"
        "from duonas.data.adapters import from_arrays\n"
        "from duonas.data.source import Source\n"
        "class Photos(Source):\n"
        "    def list(self):\n"
        "        return from_arrays(np.arange(20 * 36, dtype=np.uint16).reshape(20, 6, 6), np.arange(20) % 2)\n"
    )
    options = options_for("data", name=f"{source}:Photos")
    splits = load_splits(options, 0)
    assert splits.image_size == 6 and splits.class_names == ("0", "1")
    assert inspect_data(options, 0)[0].preparation.white == 1023  # 719 takes 10 bits


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((PIXELS, [0, 1]), "12 images and 2 labels"),
        ((PIXELS, [0, 2] * 6, ["a", "b"]), "image 1 has the label 2; expected 0 to 1"),
        ((PIXELS, [0, -1] * 6), "image 1 has the label -1"),
        ((np.ma.masked_equal(PIXELS, PIXELS[2, 0, 0, 0]), LABELS), "image 0 has masked values: fill them first"),
        (([*PIXELS[:-1], np.ma.masked_less(PIXELS[-1], 9)], LABELS), "image 11 has masked values"),
        ((PIXELS, np.ma.masked_equal(LABELS, 1)), "6 labels are masked"),
        ((PIXELS, LABELS, ["a", "b", "a"]), "two classes have the name 'a'"),
        ((PIXELS, [0.5] * 12), r"labels must be integers \(N,\), or names, got float64"),
        (
            (PIXELS, np.eye(12, dtype=int)),
            r"labels must be integers \(N,\), or names, got int64 \(12, 12\); of one-hot labels pass",
        ),
        ((PIXELS, np.zeros((12, 1), int)), r"pass labels\.reshape\(-1\)"),
        ((PIXELS, LABELS, None, ["train"] * 3), "there are 3 splits and 12 images"),
        ((PIXELS, ["cat", "dog"] * 6, ["cat", "dogs"]), "image 1 has the class 'dog', .* did you mean 'dogs'"),
        ((PIXELS, ["a", "b"] * 5 + ["c", "a"], None, ["train"] * 10 + ["test"] * 2), "image 10 has the class 'c'"),
        (([PIXELS[0], torch.ones(3, 4, 4, requires_grad=True)], [0, 1]), "image 1 is not an array"),
        ((PIXELS, LABELS, None, ["trian"] * 12), "no split 'trian'; expected one of train, val, test"),
    ],
)
def test_what_does_not_fit_is_explained(arguments, message: str) -> None:
    with pytest.raises(DuonasError, match=message):
        from_arrays(*arguments)


class Failing(Photos):
    """A data set one of whose images cannot be had."""

    def __getitem__(self, i):
        if i == 3:
            raise KeyError("photo 3")
        return super().__getitem__(i)


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_a_data_set_that_fails_at_one_image_has_one_broken_image(tmp_path: Path, monkeypatch, store: str) -> None:
    monkeypatch.setattr(Digits, "list", lambda self: from_dataset(Failing()))
    options = options_for("data", store=store, cache=str(tmp_path / "cache"), on_error="skip")
    (problem,) = inspect_data(options, 0)[0].problems
    assert problem.names == ("image 3 ('photo 3')",)


def test_masked_items_are_refused_image_by_image() -> None:
    items = [(np.ma.masked_equal(np.arange(16, dtype=np.uint8).reshape(4, 4), 3), 0), (PIXELS[0], 1)]
    facts = decode_all(from_dataset(items).images, Preparation(4))[1]
    assert facts.broken.tolist() == ["it has 1 masked values: fill them first, as by image.filled(0)", ""]


def test_an_array_without_masked_values_is_no_less_for_its_mask() -> None:
    masked = np.ma.masked_array(PIXELS, mask=np.zeros(PIXELS.shape, bool))
    assert np.array_equal(pixels_of(from_arrays(masked, LABELS)), PIXELS)


def test_alpha_is_no_sign_of_how_many_bits_there_are() -> None:
    values = np.zeros((4, 5, 5, 2), np.uint16)
    values[..., 0], values[..., 1] = 4095, 65535
    assert decode_all(from_arrays(list(values), [0, 1, 0, 1]).images, Preparation(5))[1].peak.tolist() == [4095] * 4


def test_normalised_tensors_are_refused_image_by_image() -> None:
    tensors = TensorDataset(torch.full((4, 3, 5, 5), -1.5), torch.tensor([0, 1, 0, 1]))
    facts = decode_all(from_dataset(tensors).images, Preparation(4))[1]
    assert set(facts.broken) == {"it has negative values, down to -1.5"}


def test_labels_may_be_names_and_come_from_a_generator() -> None:
    listing = from_arrays((image for image in PIXELS), (["cat", "ant"][label] for label in LABELS))
    assert listing.class_names == ("ant", "cat") and listing.labels.tolist() == [1, 0] * 6
    assert from_arrays(PIXELS, [label == 1 for label in LABELS]).labels.tolist() == LABELS
    assert set(from_arrays(PIXELS, LABELS, None, ["Train"] * 6 + ["validation"] * 6).splits) == {"train", "val"}


def data_set(labels: list, **attributes) -> list:
    """A data set of (image, label), with attributes."""
    kind = type("Own", (list,), attributes)
    return kind(zip(PIXELS, labels, strict=False))


def test_the_numbers_of_sets_with_other_classes_are_compared_by_name() -> None:
    train = data_set([0, 1, 2], classes=["a", "b", "c"])
    listing = from_dataset({"train": train, "validation": data_set([0, 1], classes=["a", "c"])})
    assert listing.labels.tolist() == [0, 1, 2, 0, 2] and listing.class_names == ("a", "b", "c")
    assert listing.splits.tolist() == ["train"] * 3 + ["val"] * 2
    with pytest.raises(DuonasError, match="test image 1 has the class 'd', which is not one to train on"):
        from_dataset({"train": train, "test": data_set([0, 1], classes=["a", "d"])})
    with pytest.raises(DuonasError, match="val image 0 has a number for a class, where another data set has names"):
        from_dataset({"train": train, "test": data_set([0], classes=["c"]), "val": data_set([0])})


def test_data_sets_of_names_and_of_objects() -> None:
    assert from_dataset(data_set(["b", "a"])).class_names == ("a", "b")
    named = from_dataset(data_set([], targets=["b", "a"], __len__=lambda self: 2))
    assert named.labels.tolist() == [1, 0]
    objects = [{"image": image, "label": label, "id": 3} for image, label in zip(PIXELS, LABELS, strict=True)]
    listing = from_dataset(objects)
    assert np.array_equal(pixels_of(listing), PIXELS) and listing.labels.tolist() == LABELS
    features = {"label": type("ClassLabel", (), {"names": ["cat", "dog"]})}
    assert from_dataset(type("Own", (list,), {"features": features})(objects)).class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (((image, 0) for image in PIXELS), "the data set is generator without a length; expected len"),
        ({"train": iter([])}, "the data set 'train' is list_iterator without a length"),
        ([{"pixels": 1, "kind": 2}], "have the keys pixels, kind; expected image and label"),
        ([PIXELS[0]], r"items of the data set are ndarray; expected \(image, label\)"),
        ([(PIXELS[0], np.array([0, 1]))], "of one-hot labels pass"),
        ({"trian": data_set([0, 1])}, "no split 'trian'"),
    ],
)
def test_a_data_set_that_cannot_be_listed_is_explained(dataset, message: str) -> None:
    with pytest.raises(DuonasError, match=message):
        from_dataset(dataset)


def test_one_item_that_fails_is_one_broken_image_without_targets_too() -> None:
    class Untold(Failing):
        targets = None

    listing = from_dataset(Untold())
    (problem,) = listing.problems
    assert problem.error and problem.names == ("image 3 ('photo 3')",)
    assert len(listing) == 11 and listing.names[3] == "image 4" and listing.labels.tolist() == LABELS[:3] + LABELS[4:]
    assert np.array_equal(pixels_of(listing), np.delete(PIXELS, 3, 0))
