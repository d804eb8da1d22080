"""Whether a given network can be exported in fp16 or int8: known before any work."""

from __future__ import annotations

import onnx

from duonas.core.errors import DuonasError
from duonas.deploy.options import Precision
from duonas.deploy.quantize import check_layers, layers_of

HALF = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
INTEGER = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")


def check_precision(model: onnx.ModelProto, precision: Precision, called: str) -> None:
    """Refuse a network that is in another precision than float32 already, or has nothing to quantise.

    Args:
        model: its graph.
        precision: of ``[export]``.
        called: the network in messages.

    Raises:
        DuonasError: it is, or has; the message says what to do.
    """
    if precision == "fp32":
        return
    in_integers = any(node.op_type in INTEGER for node in model.graph.node)
    if in_integers or any(each.data_type in HALF for each in model.graph.initializer):
        has = "is quantised to integers" if in_integers else "computes in 16 bits"
        raise DuonasError(
            f"{called} {has} already, so it cannot be made {precision}: give the network in float32, or leave out "
            "[export] precision to keep both as they are."
        )
    if precision == "int8":
        check_layers(layers_of(model), called)
