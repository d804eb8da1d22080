"""Modules that Python hands over, as ONNX files that a recipe can name."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import onnx
from torch import nn

from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes
from duonas.deploy.options import ExportOptions
from duonas.given.exported import exported


def handed(network: Any, called: str, path: Path) -> Any:
    """Return a module as the table of an ONNX file that is written, and any other network as it is.

    The same module always gives the same bytes, so that a run goes on with it.

    Args:
        network: a module, a table whose ``module`` is one, or another network.
        called: the network in messages, such as ``little``.
        path: of the file.

    Raises:
        DuonasError: the size of its images is not given, it cannot be exported, or the file has another network.
    """
    table = {"module": network} if isinstance(network, nn.Module) else network
    if not isinstance(table, Mapping) or not isinstance(module := table.get("module"), nn.Module):
        return network
    size = table.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        given = "" if size is None else f", got {size!r}"
        raise DuonasError(
            f"{called}: the size of the images that a module takes must be given in pixels{given}, as in "
            '{"module": network, "size": 224}.'
        )
    data = _written(exported(deepcopy(module).eval(), size, called, ExportOptions().opset))
    if not path.exists():
        write_bytes(path, data)
    elif path.read_bytes() != data:
        raise DuonasError(
            f"{called} is not the module with which the run in {path.parent.parent} began: give another folder."
        )
    return {key: value for key, value in table.items() if key != "module"} | {"file": str(path)}


def _written(model: onnx.ModelProto) -> bytes:
    for each in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del each.metadata_props[:]  # the lines of the program that made it
    return model.SerializeToString(deterministic=True)
