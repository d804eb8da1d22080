"""Networks in fp16: half the bytes, and half the work where a processor computes in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import numpy_helper

from duonas.core.errors import DuonasError
from duonas.deploy.quantize import ranges_of, tidied

LARGEST = 65504.0  # that fp16 has


def check_fp16(model: onnx.ModelProto, batches: Iterable[np.ndarray], what: str) -> None:
    """Refuse a graph with larger values than fp16 has, which a processor that computes in float would not show.

    Args:
        model: a float32 graph that was ``prepared``.
        batches: its inputs (B, ...) float32.
        what: a name of the network, for messages.

    Raises:
        DuonasError: a value is larger, of images or of weights.
    """
    ranges = ranges_of(model, batches, what)
    found = {name: max(abs(float(low)), abs(float(high))) for name, (low, high) in ranges.items()}
    stored = ((each.name, numpy_helper.to_array(each)) for each in model.graph.initializer)
    found |= {name: float(np.abs(value).max()) for name, value in stored if value.dtype == np.float32 and value.size}
    name = max(found, key=lambda each: found[each])
    if found[name] > LARGEST:
        raise DuonasError(
            f"{what} cannot be exported in fp16, which ends at {LARGEST:,.0f}: its value {name!r} reaches "
            f"{found[name]:,.0f}; give [export] precision = 'fp32' or 'int8'."
        )


def in_fp16(model: onnx.ModelProto, *, inside_only: bool = True) -> onnx.ModelProto:
    """Return a graph in fp16.

    Args:
        model: a float32 graph; it is left as it is.
        inside_only: whether inputs and outputs stay float32.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights so small that they become 0, which changes no answer
        found = convert_float_to_float16(
            copy, keep_io_types=inside_only, disable_shape_infer=True, max_finite_val=LARGEST
        )
    return tidied(found)
