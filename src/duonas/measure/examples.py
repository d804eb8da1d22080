"""Example images of the test split: failures, easy and hard ones (paper D, figure 6)."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from duonas.data.ondisk import Pixels, read
from duonas.measure.accuracy import Outputs

EACH = 12
LARGEST = 96  # side of a picture in pixels


def choose_examples(outputs: Outputs, pixels: Pixels) -> list[dict[str, Any]]:
    """Choose example images: failures first, then the easiest, then the hardest ones, without repetition.

    Failures of the router come first: images that only the other network classifies correctly. Images on which both
    networks are wrong follow. Both are ordered by descending score.

    Args:
        outputs: predictions of the pair.
        pixels: (N, 3, H, W) uint8.

    Returns:
        Rows of ``index``, ``label``, ``little``, ``big`` (class indices), ``score``, ``is_little`` and ``png`` (a data
        URI).
    """
    surest = np.argsort(-outputs.score, kind="stable")
    surest = surest[np.isfinite(outputs.score[surest])]
    either = outputs.little_right | outputs.big_right
    misrouted, lost = (surest[mask[surest]] for mask in (either & ~outputs.routed_right, ~either))
    picked = dict.fromkeys(map(int, [*misrouted[:EACH], *lost[:EACH], *surest[:EACH], *surest[::-1][:EACH]]))
    little, big = outputs.little_logits.argmax(1), outputs.big_logits.argmax(1)
    return [
        {
            "index": index,
            "label": int(outputs.labels[index]),
            "little": int(little[index]),
            "big": int(big[index]),
            "score": float(outputs.score[index]),
            "is_little": bool(outputs.is_little[index]),
            "png": png(read(pixels[index : index + 1])[0].cpu().numpy()),
        }
        for index in picked
    ]


def png(pixels: np.ndarray) -> str:
    """Return an image (3, H, W) uint8 as a data URI, downscaled to at most 96 pixels."""
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
