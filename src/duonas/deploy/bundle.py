"""A bundle: the folder that is deployed, of three ONNX files, their policy, images for a self-test, and what else the
targets need.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import onnx
from torch import Tensor, nn

from duonas import __version__
from duonas.core.errors import DuonasError
from duonas.core.files import checksum, write_atomic, write_bytes
from duonas.deploy.export import export_network, export_parts
from duonas.deploy.golden import golden
from duonas.deploy.options import ExportOptions
from duonas.deploy.stitch import dynamic, note_tau, whole
from duonas.deploy.target import Job, target_files
from duonas.pair.pair import Pair
from duonas.routing.policy import Policy
from duonas.runtime.files import FILE_OF, GOLDEN, MODEL, POLICY
from duonas.runtime.golden import Golden, load_golden

FILES = tuple(FILE_OF[role] for role in ("routed", "little", "big"))
SINGLE = FILE_OF["plain"]  # the plain network beside the pair, where the search saw one


def export_bundle(
    pair: Pair,
    policy: Policy,
    folder: Path,
    options: ExportOptions,
    images: Tensor | None = None,
    plain: nn.Module | None = None,
) -> Path:
    """Write ``dynamic.onnx``, ``little.onnx``, ``big.onnx`` and ``policy.json`` to ``folder``, atomically.

    The files that the targets of ``options`` need beside these are written with them.

    Args:
        pair: the two networks.
        policy: router and threshold; the checksums of the files are added to the written one.
        folder: the export folder; replaced if it exists.
        options: the ``[export]`` table.
        images: (N, 3, H, W) uint8 for the self-test of a device, ``golden.npz``; there is none without images.
        plain: images (B, 3, H, W) to logits (B, K), a network to compare the pair with; written to ``single.onnx``.

    Returns:
        ``folder``.

    Raises:
        DuonasError: pair and policy differ in their classes, the pair cannot be deployed on a target, or the folder
            cannot be written; it is then unchanged.
    """
    stored = None if images is None else golden(pair, policy.router, images)
    job = Job(export_parts(pair, policy.router, options.opset), pair, policy, options)
    tower = None if plain is None else export_network(plain, pair.facts.preprocessing.image_size, options.opset)
    return write_bundle(job, folder, stored, tower)


def write_bundle(job: Job, folder: Path, stored: Golden | None = None, plain: onnx.ModelProto | None = None) -> Path:
    """Write a bundle of graphs that are exported already, see ``export_bundle``.

    Args:
        job: the pair, its graphs and its policy.
        folder: the export folder; replaced if it exists.
        stored: what a self-test needs.
        plain: graph of a plain network.
    """
    models = _models(job)
    if plain is not None:
        models[SINGLE] = whole("plain", None, plain, _metadata(job))
    return put_bundle(models, job.policy, folder, stored, target_files(job))


def set_threshold(folder: Path, policy: Policy) -> Path:
    """Replace a bundle's policy by one of the same router; its tau is noted in ``dynamic.onnx``, too.

    Args:
        folder: an export folder.
        policy: the policy with the new tau.

    Returns:
        ``folder``, with the same bytes that ``export_bundle`` would write.

    Raises:
        DuonasError: the folder is not an export, or cannot be written; it is then unchanged.
    """
    names = check_files(folder)
    try:
        models = {name: onnx.load(folder / name) for name in names}
    except Exception as error:  # protobuf's exceptions are not part of the interface of onnx
        raise DuonasError(f"{folder} cannot be read as an export: {error}; export it again.") from error
    note_tau(models[MODEL], policy.tau)
    known = Policy.load(folder / POLICY).onnx
    others = {name: (folder / name).read_bytes() for name in _of_targets(known)}
    return put_bundle(models, policy, folder, load_golden(folder, dict(known)), others)


def check_files(folder: Path) -> tuple[str, ...]:
    """Check that the files of an export folder are those that its policy was written with.

    Returns:
        The names of the ONNX files that every export has, and of the plain network if there is one.

    Raises:
        DuonasError: a file is missing or another one.
    """
    known = Policy.load(folder / POLICY).onnx
    names = (*FILES, SINGLE) if SINGLE in known else FILES
    for path in (folder / name for name in (*names, *_of_targets(known))):
        if not path.is_file():
            raise DuonasError(f"{path} does not exist, but this export was written with one; export again.")
        if checksum(path) != known.get(path.name):
            raise DuonasError(
                f"{path} is not the file that policy.json was written with: checksums differ; export again."
            )
    return names


def _of_targets(known: Mapping[str, str]) -> list[str]:
    """The names of the files that targets need beside those of every export, of all that the policy names."""
    return sorted(known.keys() - {*FILES, SINGLE, GOLDEN})


def put_bundle(
    models: Mapping[str, onnx.ModelProto],
    policy: Policy,
    folder: Path,
    stored: Golden | None = None,
    others: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a bundle to ``folder``, which is replaced if it exists.

    Args:
        models: by file name.
        policy: of the models.
        folder: the export folder.
        stored: what a self-test needs.
        others: further files by name.

    Raises:
        DuonasError: the folder cannot be written; it is then unchanged.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part") as temporary:
            fresh = Path(temporary, "new")
            for name, model in models.items():
                write_atomic(fresh / name, partial(_save, model))
            for name, content in (others or {}).items():
                write_bytes(fresh / name, content)
            if stored is not None:
                write_atomic(fresh / GOLDEN, stored.save)
            policy.belonging_to({path.name: checksum(path) for path in sorted(fresh.iterdir())}).save(fresh / POLICY)
            _put_in_place(fresh, folder, Path(temporary, "old"))
    except OSError as error:
        raise DuonasError(f"cannot write {folder}: {error.strerror or error}; nothing was changed there.") from error
    return folder


def _models(job: Job) -> dict[str, onnx.ModelProto]:
    parts, policy = job.parts, job.policy
    classes = parts.little.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    if classes != policy.num_classes:
        raise DuonasError(f"the pair has {classes} classes, but its policy has {policy.num_classes}: they must agree.")
    metadata = _metadata(job)
    routing = {"router": policy.router.name, "router_position": policy.router.position}
    return {
        MODEL: dynamic(parts, policy.tau, metadata | routing),
        FILE_OF["little"]: whole("little", parts.stem, parts.little, metadata),
        FILE_OF["big"]: whole("big", parts.stem, parts.big, metadata),
    }


def precision_of(file: Path) -> str:
    """Return the precision of a network in an export folder: ``fp32``, ``fp16`` or ``int8``."""
    return {each.key: each.value for each in onnx.load(file).metadata_props}.get("precision", "fp32")


def _metadata(job: Job) -> dict[str, str]:
    precision = {"precision": job.options.precision} if job.options.converts else {}
    return precision | {
        "duonas_version": __version__,
        "class_names": json.dumps(job.policy.class_names, ensure_ascii=False),
        "preprocessing": json.dumps(asdict(job.pair.facts.preprocessing)),
    }


def _save(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString())


def _put_in_place(fresh: Path, folder: Path, old: Path) -> None:
    # A folder cannot be renamed to an existing one: move the old one away, and back if the new one cannot be moved.
    if not folder.exists():
        fresh.rename(folder)
        return
    folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        old.rename(folder)
        raise
