"""The networks in fp16 or int8 beside those in float, and what each layer loses (paper D, App. D.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from duonas.measure.quantized import quantized_in_words
from duonas.report.formatting import NOTHING, count, milliseconds, number, percent, size, whole
from duonas.report.table import Table


@dataclass(frozen=True)
class Precision:
    """What the page shows of a precision.

    Args:
        intro: what was found out on the val split, and on the test split.
        networks: the networks beside the float ones.
        layers: what is lost where one layer alone is quantised, the worst first; ``None`` where none was looked at.
        about: how the layers were looked at.
    """

    intro: str
    networks: Table
    layers: Table | None
    about: str


def precision(found: Mapping[str, Any], measured: Mapping[str, Any]) -> Precision:
    """Show the contents of ``quantized.json``, and of ``measure.json`` what belongs to it."""
    compared = measured.get("precision", {})
    intro = " ".join(filter(None, (quantized_in_words(found), compared.get("sentence"), compared.get("answers"))))
    looked_at = found.get("layers") or ()
    about = (
        f"Each layer was quantised alone, and the answers on {whole(found['layer_images'])} val images were compared "
        "with those of the float networks; noise is the mean square of the change of the logits, as a share of their "
        "variance over the classes."
        if looked_at
        else ""
    )
    return Precision(intro, _networks(found, compared), _layers(looked_at) if looked_at else None, about)


def _networks(found: Mapping[str, Any], compared: Mapping[str, Any]) -> Table:
    rows = []
    for role, val in found["networks"].items():
        test = compared.get("networks", {}).get(role)
        split, each = ("val", val) if test is None else ("test", test)
        times = [NOTHING] * 4
        if test is not None:
            times = [
                milliseconds(test[key][batch]["mean"]) for batch in ("1", "64") for key in ("times_ms", "fp32_times_ms")
            ]
        rows.append((
            role, split, percent(each["accuracy"]), percent(each["fp32_accuracy"]), whole(each["flips"]),
            size(each["bytes"]), size(each["fp32_bytes"]), *times,
        ))  # fmt: skip
    name = found["precision"]
    head = (
        "Network", "Images", f"Accuracy, {name}", "fp32", "Answers changed", f"Bytes, {name}", "fp32",
        f"Batch 1, {name}", "fp32", f"Batch 64, {name}", "fp32",
    )  # fmt: skip
    return Table(head, rows)


def _layers(found: Any) -> Table:
    ranked = sorted(found, key=lambda row: (row["flips"], row["noise"]), reverse=True)
    rows = [
        (
            row["part"], row["layer"], count(row["weights"]), whole(row["flips"]), number(row["points_lost"], 2),
            percent(row["noise"], 2), "float" if row["in_float"] else "int8",
        )
        for row in ranked
    ]  # fmt: skip
    head = ("Part", "Layer", "Weights", "Answers changed", "Points lost", "Noise", "Is in")
    return Table(head, rows, {1: "words"})
