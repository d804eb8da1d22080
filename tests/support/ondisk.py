"""Tiny data sets written to disk, for the tests of data and of recipes: folders of images and Parquet shards."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

Shard = Callable[..., Path]
Folder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> Folder:
    """``make_folder({"cat": 5, "dog": 5}, under="train")`` writes that many PNGs a class, each of another colour."""

    def make(counts: dict[str, int], under: str = "", size: tuple[int, int] = (12, 10)) -> Path:
        for number, (name, count) in enumerate(counts.items()):
            folder = tmp_path / "images" / under / name
            folder.mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", size, (40 * number, 3 * i, 7)).save(folder / f"{i:03}.png")
        return tmp_path / "images"

    return make


@pytest.fixture
def make_shard(tmp_path: Path) -> Shard:
    """``make_shard("train-0", pixels, labels)`` writes a shard of PNGs; ``cells`` replaces the image structs."""

    def make(
        name: str,
        pixels: np.ndarray,
        labels: Sequence[int],
        *,
        names: Sequence[str] | None = None,
        image: str = "img",
        label: str = "label",
        cells: list[dict[str, object]] | None = None,
    ) -> Path:
        if cells is None:
            cells = [{"bytes": encode(one), "path": f"{i}.png"} for i, one in enumerate(pixels)]
        table = pa.table({image: cells, label: pa.array(labels, pa.int64())})
        if names is not None:
            features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        path = tmp_path / "shards" / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table, path)
        return path.parent

    return make


@pytest.fixture
def make_imagenet(tmp_path: Path) -> Folder:
    """``make_imagenet(names, train=3, val=1)`` writes tiny JPEGs in the layout of ImageNet: ``SPLIT/CLASS/*.JPEG``."""

    def make(names: Sequence[str], train: int = 3, val: int = 1) -> Path:
        for split, count in (("train", train), ("val", val)):
            for number, name in enumerate(names):
                folder = tmp_path / "imagenet" / split / name
                folder.mkdir(parents=True)
                for i in range(count):
                    colour = (2 * number, 60 * i, 90 if split == "val" else 7)
                    Image.new("RGB", (9, 8), colour).save(folder / f"{name}_{i}.JPEG")
        return tmp_path / "imagenet"

    return make


@pytest.fixture
def make_coco(tmp_path: Path) -> Folder:
    """``make_coco({"train": [[(1, 0.2)], []]})`` writes images of 10 x 10 pixels with objects (category, share).

    The categories are 1, person, and 2, bicycle; the numbers of the images go on over train and val from 1.
    """

    def make(images: dict[str, Sequence[Sequence[tuple[int, float]]]], year: str = "2017") -> Path:
        root, number = tmp_path / "coco", 0
        (root / "annotations").mkdir(parents=True)
        for split, each in images.items():
            rows: dict[str, list[dict[str, object]]] = {"images": [], "annotations": []}
            (root / f"{split}{year}").mkdir()
            for objects in each:
                number += 1
                name = f"{number:012}.jpg"
                Image.new("RGB", (10, 10), (9 * number % 256, 7 * number % 256, 80)).save(
                    root / f"{split}{year}" / name
                )
                rows["images"].append({"id": number, "file_name": name, "width": 10, "height": 10})
                rows["annotations"] += [
                    {"image_id": number, "category_id": category, "area": 100 * share} for category, share in objects
                ]
            categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "bicycle"}]
            content = json.dumps({**rows, "categories": categories})
            (root / "annotations" / f"instances_{split}{year}.json").write_text(content)
        return root

    return make


def encode(pixels: np.ndarray) -> bytes:
    """(3, H, W) uint8 to the bytes of a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()
