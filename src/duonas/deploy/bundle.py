"""A bundle: the folder that is deployed. Three ONNX files and the policy that belongs to them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import onnx

from duonas import __version__
from duonas.core.errors import DuonasError
from duonas.core.files import checksum, write_atomic
from duonas.core.options import ExportOptions
from duonas.deploy.export import export_parts
from duonas.deploy.stitch import dynamic, whole
from duonas.routing.policy import Policy
from duonas.supernet.pair import PairNet


def export_bundle(pair_net: PairNet, policy: Policy, folder: Path, options: ExportOptions) -> Path:
    """Write ``dynamic.onnx``, ``little.onnx``, ``big.onnx`` and ``policy.json`` to ``folder``, all of them or none.

    Args:
        pair_net: the pair in plain PyTorch.
        policy: its router and threshold; the written one names the files' checksums.
        folder: replaced as a whole where it exists.
        options: the ``[export]`` table.

    Returns:
        ``folder``.

    Raises:
        DuonasError: the pair and the policy do not fit, or the folder cannot be written; it is then as it was.
    """
    return put_bundle(_models(pair_net, policy, options), policy, folder)


def put_bundle(models: Mapping[str, onnx.ModelProto], policy: Policy, folder: Path) -> Path:
    """Write models by file name and their policy to ``folder``, which is replaced as a whole where it exists.

    Raises:
        DuonasError: the folder cannot be written; it is then as it was.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part") as temporary:
            fresh = Path(temporary, "new")
            for name, model in models.items():
                write_atomic(fresh / name, partial(_save, model))
            policy.belonging_to({name: checksum(fresh / name) for name in models}).save(fresh / "policy.json")
            _put_in_place(fresh, folder, Path(temporary, "old"))
    except OSError as error:
        raise DuonasError(f"cannot write {folder}: {error.strerror or error}; nothing was changed there.") from error
    return folder


def _models(pair_net: PairNet, policy: Policy, options: ExportOptions) -> dict[str, onnx.ModelProto]:
    parts = export_parts(pair_net, policy.router, policy.image_size, options.opset)
    classes = parts.little.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    if classes != policy.num_classes:
        raise DuonasError(
            f"the pair tells {classes} classes apart and its policy {policy.num_classes}: they must agree."
        )
    metadata = {"duonas_version": __version__, "class_names": json.dumps(policy.class_names, ensure_ascii=False)}
    return {
        "dynamic.onnx": dynamic(parts, policy.tau, metadata),
        "little.onnx": whole(parts.stem, parts.little, metadata),
        "big.onnx": whole(parts.stem, parts.big, metadata),
    }


def _save(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString())


def _put_in_place(fresh: Path, folder: Path, old: Path) -> None:
    # A folder cannot be renamed over a full one: the old one steps aside, and back where the new one fails to come.
    if not folder.exists():
        fresh.rename(folder)
        return
    folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        old.rename(folder)
        raise
