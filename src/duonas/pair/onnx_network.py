"""A network that is an ONNX graph: one that was given, or one that was quantised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes
from duonas.runtime.errors import BundleError
from duonas.runtime.session import open_session

FLOAT = onnx.TensorProto.FLOAT


class OnnxNetwork(nn.Module):
    """A network that ONNX Runtime computes on the CPU; it has no parameters, and no gradients pass through it.

    It can be copied, pickled and sent to other processes: the session is opened where the network first runs.

    Args:
        proto: one float32 input (B, ...) and one float32 output (B, ...) whose other sides are known; B is any number.
        threads: CPU threads of the session; 0: as many as torch has where the network first runs.

    Raises:
        DuonasError: the graph has other inputs or outputs.
    """

    def __init__(self, proto: onnx.ModelProto, threads: int = 0) -> None:
        super().__init__()
        self._sides = _sides(proto)
        self._data, self.threads = proto.SerializeToString(), threads
        self._session: onnxruntime.InferenceSession | None = None

    @property
    def proto(self) -> onnx.ModelProto:
        """A copy of the graph."""
        return onnx.load_model_from_string(self._data)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the output (B, ...) for ``x`` (B, ...), on its device.

        Raises:
            DuonasError: ONNX Runtime cannot run the graph.
        """
        if not len(x):  # not every operation works on no rows
            return x.new_zeros((0, *self._sides), dtype=torch.float32)
        session = self._opened()
        feed = {session.get_inputs()[0].name: np.ascontiguousarray(x.detach().cpu().float().numpy())}
        try:
            (found,) = session.run(None, feed)
        except Exception as error:  # ONNX Runtime's exceptions have no common base class
            raise DuonasError(f"ONNX Runtime cannot run the network: {' '.join(str(error).split())}") from error
        return torch.from_numpy(found).to(x.device)

    def save(self, path: Path) -> Path:
        """Write the graph to ``path``, atomically."""
        return write_bytes(path, self._data)

    @classmethod
    def load(cls, path: Path, threads: int = 0) -> OnnxNetwork:
        """Read a graph that ``save`` wrote, in eval mode.

        Raises:
            DuonasError: it is missing, damaged, or not a network with one input and one output.
        """
        try:
            proto = onnx.load(path)
        except FileNotFoundError as error:
            raise DuonasError(f"{path} does not exist.") from error
        except Exception as error:  # protobuf's exceptions are not part of the interface of onnx
            raise DuonasError(f"{path} is damaged: it is not an ONNX file.") from error
        try:
            network = cls(proto, threads)
        except DuonasError as error:
            raise DuonasError(f"{path} cannot be used: {error}") from error
        return network.eval()

    def _opened(self) -> onnxruntime.InferenceSession:
        if self._session is None:
            try:
                self._session = open_session(self._data, self.threads or torch.get_num_threads())
            except BundleError as error:
                raise DuonasError(str(error)) from error
        return self._session

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_session": None}  # a session is of one process

    def extra_repr(self) -> str:
        """The size of the graph, for ``print``."""
        return f"{len(self._data):,} bytes"


def _sides(proto: onnx.ModelProto) -> tuple[int, ...]:
    """Return the sides of the output after the first."""
    stored = {each.name for each in proto.graph.initializer}
    entries = [each for each in proto.graph.input if each.name not in stored]
    for what, values in (("input", entries), ("output", proto.graph.output)):
        if len(values) != 1:
            raise DuonasError(f"the network must have one {what}, and it has {len(values)}.")
        if values[0].type.tensor_type.elem_type != FLOAT:
            raise DuonasError(f"the network's {what} {values[0].name!r} must be of float32.")
    shape = proto.graph.output[0].type.tensor_type.shape.dim
    if len(shape) < 2 or not all(side.dim_value > 0 for side in shape[1:]):
        raise DuonasError(f"the network's output {proto.graph.output[0].name!r} must have known sides after the first.")
    return tuple(side.dim_value for side in shape[1:])
