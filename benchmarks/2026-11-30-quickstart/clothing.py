"""Make the data set that the source ``clothing`` ships, from the photographs' folder.

    git clone https://github.com/alexeygrigorev/clothing-dataset-small
    python benchmarks/2026-11-30-quickstart/clothing.py clothing-dataset-small

The photographs are in the public domain (CC0). The folder has ``train/``, ``validation/`` and ``test/`` with one
folder a class. The largest square in the middle of each is resized to 64 x 64 pixels and stored as WebP, with its
split, which the source does not keep, and its name, in one Parquet file in the layout of Hugging Face.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pyarrow as pa
from PIL import Image, ImageOps
from pyarrow import parquet

SIDE = 64  # pixels
QUALITY = 75  # of WebP
OUT = Path(__file__).parents[2] / "src/duonas/data/sources/clothing.parquet"


def encoded(path: Path) -> bytes:
    """The square in the middle of a photograph, small, as WebP."""
    with Image.open(path) as image:
        small = ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY, method=6)
    return file.getvalue()


def table(folder: Path) -> pa.Table:
    """All photographs, sorted by split, class and name."""
    names = sorted(path.name for path in (folder / "train").iterdir())
    rows: dict[str, list] = {"image": [], "label": [], "split": []}
    for given, split in (("train", "train"), ("validation", "val"), ("test", "test")):
        for path in sorted((folder / given).glob("*/*.jpg")):
            rows["image"].append({"bytes": encoded(path), "path": f"{given}/{path.parent.name}/{path.stem[:8]}"})
            rows["label"].append(names.index(path.parent.name))
            rows["split"].append(split)
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    about = {"huggingface": json.dumps({"info": {"features": features}}), "licence": "CC0-1.0",
             "source": "https://github.com/alexeygrigorev/clothing-dataset-small"}  # fmt: skip
    kinds = {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "label": pa.int64(), "split": pa.string()}
    return pa.table(rows, pa.schema(list(kinds.items()), about))


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    made = table(parser.parse_args().folder)
    parquet.write_table(made, OUT, compression="zstd", row_group_size=len(made))
    print(f"{OUT}: {len(made):,} images, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
