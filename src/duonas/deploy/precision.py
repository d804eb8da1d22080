"""A pair, and the plain network beside it, in another precision: fp16, or int8 with what was found out on the way.

The parts are quantised each by itself, so that big is, too, and stitched afterwards. Stem and towers read and give
float32; the router is not quantised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from duonas.core.protocols import Progress, silent
from duonas.data.ondisk import Pixels
from duonas.deploy.against_float import NAMES, AgainstFloat, Models
from duonas.deploy.half import check_fp16, in_fp16
from duonas.deploy.int8 import Int8, Material, batches_of
from duonas.deploy.options import ExportOptions
from duonas.deploy.quantize import layers_of, prepared
from duonas.pair.onnx_network import OnnxNetwork

VERSION = 1  # of quantized.json


@dataclass(frozen=True)
class Precise:
    """Networks in a precision, and what was found out about them.

    Args:
        models: by part.
        findings: the content of ``quantized.json``.
    """

    models: Models
    findings: dict[str, Any]


def make_precise(models: Models, material: Material, options: ExportOptions, progress: Progress = silent) -> Precise:
    """Return networks in the precision of ``[export]``.

    Args:
        models: float32 graphs of little and big, of the stem if they share one, and of the plain network if there is
            one.
        material: images.
        options: the ``[export]`` table; its precision is ``fp16`` or ``int8``.
        progress: called after each layer that is looked at.

    Raises:
        DuonasError: a network has nothing to quantise, there are no images to calibrate it on, or a value is larger
            than fp16 has.
    """
    ready = {part: prepared(model) for part, model in models.items()}
    judge = AgainstFloat(ready, material.val)
    if options.precision == "int8":
        made, more = Int8(ready, material, options, judge).make(progress)
    else:
        made, more = _halved(ready, material.train), {}
        progress(1, 1)
    return Precise(made, {"version": VERSION, "precision": options.precision, **judge.findings(made), **more})


def _halved(models: Models, train: Pixels) -> Models:
    """Return networks in fp16; a stem without layers stays as it is."""
    stem = OnnxNetwork(models["stem"]) if "stem" in models else None
    for part, model in models.items():
        check_fp16(model, batches_of(train, None if part in ("stem", "plain") else stem), NAMES[part])
    return {part: in_fp16(model) if layers_of(model) else model for part, model in models.items()}
