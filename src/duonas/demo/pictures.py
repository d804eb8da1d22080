"""The pictures that the page offers: test images of a run by difficulty, or the stored images of a bundle."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from duonas.core.errors import DuonasError
from duonas.core.files import read_json, reading
from duonas.runtime.files import POLICY
from duonas.runtime.golden import load_golden
from duonas.runtime.policy import load_policy

PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/]{1,200000}={0,2})")
LARGEST = 256  # pixels of a side; those of a run have at most 96
MOST = 60


class Picture(NamedTuple):
    """An image (H, W, 3) uint8 with what is known of it."""

    image: np.ndarray
    caption: str


def pictures(run: Path, bundle: Path, class_names: Sequence[str]) -> list[Picture]:
    """The test images that a run keeps for its report, else the images of the bundle's self-test, hardest first.

    Args:
        run: the run's folder, or that of the bundle.
        bundle: folder of the bundle.
        class_names: (K,), or empty.

    Raises:
        DuonasError: the run's file of examples is damaged.
        BundleError: the bundle's stored images are damaged.
    """
    file = run / "examples.json"
    if file.is_file():
        rows = read_json(file)
        with reading(file):
            found = sorted((_row(row) for row in rows[:MOST]), key=lambda row: row[0])
            return [Picture(image, f"{_name(class_names, label)} {score:.2g}") for score, label, image in found]
    stored = load_golden(bundle, load_policy(bundle / POLICY).onnx)
    if stored is None:
        return []
    order = np.argsort(stored.score, kind="stable")[:MOST]
    return [Picture(stored.images[n].transpose(1, 2, 0), f"score {stored.score[n]:.3g}") for n in order]


def _row(row: dict[str, Any]) -> tuple[float, int, np.ndarray]:
    return float(row["score"]), int(row["label"]), decoded(row["png"])


def decoded(uri: Any) -> np.ndarray:
    """The pixels (H, W, 3) of a small PNG in a data URI; nothing else is opened.

    Raises:
        DuonasError: it is something else.
    """
    found = PNG.fullmatch(uri) if isinstance(uri, str) else None
    try:
        if found is None:
            raise ValueError("it is no PNG in a data URI")
        with Image.open(io.BytesIO(base64.b64decode(found[1], validate=True)), formats=("PNG",)) as image:
            if max(image.size) > LARGEST:  # before it is decoded
                raise ValueError(f"it is larger than {LARGEST} pixels")
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # Pillow fails with many types where somebody made the file on purpose
        raise DuonasError(f"an example cannot be shown: {error}.") from error


def _name(class_names: Sequence[str], label: int) -> str:
    return class_names[label] if class_names and 0 <= label < len(class_names) else f"class {label}"
