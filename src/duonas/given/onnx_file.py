"""An ONNX file, with its weights where they are in files beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
from onnx.external_data_helper import uses_external_data

from duonas.core.errors import DuonasError
from duonas.given.network import Read, Wants, stored_wants
from duonas.given.shapes import image_input, sides_of
from duonas.pair.options import NetworkOptions


def read_file(path: Path, options: NetworkOptions) -> Read:
    """Read a file, with what duonas stored in it; the size is that of the input, where it is fixed and not stored.

    Raises:
        DuonasError: there is no such file, it is not an ONNX file, a file of its weights is missing, or a mean is to be
            subtracted from pixels of uint8.
    """
    proto = _loaded(path)
    wants = stored_wants({each.key: each.value for each in proto.metadata_props})
    entry = image_input(proto, options.input_name, options.called)
    if entry.type.tensor_type.elem_type == onnx.TensorProto.UINT8:
        wants = _of_bytes(wants, options)
    return Read(proto, wants.filled(*sides_of(entry)))


def _of_bytes(wants: Wants, options: NetworkOptions) -> Wants:
    """What an input of 8-bit pixels wants: these as they are."""
    if options.mean is not None or options.std is not None:
        raise DuonasError(
            f"{options.called} takes pixels of uint8, from which no mean can be subtracted: leave out mean and std."
        )
    return replace(wants, range=wants.range or (0.0, 255.0))


def _loaded(path: Path) -> onnx.ModelProto:
    if path.is_dir():
        raise DuonasError(
            f"{path} is a folder: expected an ONNX file, such as {path / 'export' / 'big.onnx'} of a run."
        )
    if not path.is_file():
        raise DuonasError(f"there is no network {path}: expected an ONNX file, timm:NAME@WEIGHTS or file.py:NAME.")
    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's exceptions are not part of the interface of onnx
        raise DuonasError(f"{path} is not an ONNX file.") from error
    if not proto.graph.node or not proto.graph.output:
        raise DuonasError(f"{path} is not an ONNX file: it holds no network.")
    _read_weights(proto, path)
    return proto


def _read_weights(proto: onnx.ModelProto, path: Path) -> None:
    """Read weights that are in files beside a network."""
    stored = [each for each in proto.graph.initializer if uses_external_data(each)]
    beside = dict.fromkeys(one.value for each in stored for one in each.external_data if one.key == "location")
    for name in beside:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DuonasError(f"{path} names a file of weights outside of its folder, {name!r}, which is not read.")
        if not (path.parent / name).is_file():
            raise DuonasError(f"{path} keeps its weights in {name}, which is not there: put that file beside it.")
    try:
        onnx.load_external_data_for_model(proto, str(path.parent))
    except Exception as error:  # of the file system, or of a file that is another one
        said = " ".join(str(error).split()).rstrip(".")
        raise DuonasError(
            f"{path} keeps its weights in {', '.join(beside)}, of which not all can be read: {said}."
        ) from error
