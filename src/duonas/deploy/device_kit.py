"""Write a device kit: the folder that is carried to a device to measure what blocks take there."""

from __future__ import annotations

import shutil
import tempfile
import zipapp
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import duonas.runtime
from duonas import __version__
from duonas.core.block import BlockSpec
from duonas.core.errors import DuonasError
from duonas.core.files import write_json
from duonas.core.pair import PairArch, PairSpace
from duonas.core.protocols import Progress, silent
from duonas.core.rng import stream
from duonas.costs.device_table import block_text
from duonas.costs.plan import Plan, make_plan
from duonas.deploy.blocks import BlockExporter, chain
from duonas.deploy.export import Parts, export_score
from duonas.deploy.half import in_fp16
from duonas.deploy.rehearsal import made_up
from duonas.deploy.stitch import dynamic
from duonas.routing.router import Router
from duonas.runtime.device_kit import (
    EMPTY,
    MANIFEST,
    PROGRAM,
    REFERENCE,
    KitBlock,
    KitNetwork,
    KitPair,
    Manifest,
    Settings,
    Use,
)

BLOCKS_A_MINUTE = 400  # that a device can be expected to measure
FEWEST_BLOCKS = 100
PAIRS = 2  # of each router
DRAWN_PAIRS = 30  # that they are taken from
README = """This folder measures what the networks of a search take on this machine, with Python 3.11 or newer.
1. pip install numpy onnxruntime   (or the onnxruntime that is made for this device)
2. python measure.pyz --minutes {minutes:g} --out table.csv   (--help has all options; best with nothing else running)
3. Carry table.csv back, and give it to the search by [search.device] table = "table.csv".
It sends nothing anywhere and writes nothing but table.csv; Ctrl-C ends it with what was measured.
"""


@dataclass(frozen=True)
class KitSource:
    """What a kit is made of.

    Args:
        pairs: the pairs that are going to be searched.
        routers: their routers, not fitted.
        opset: ONNX opset version.
        cache: folder for graphs of blocks of earlier kits; ``None``: they are exported anew.
    """

    pairs: PairSpace
    routers: tuple[Router, ...]
    opset: int
    cache: Path | None = None


def write_kit(source: KitSource, settings: Settings, folder: Path, progress: Progress = silent) -> Manifest:
    """Write a kit to ``folder``, whole or not at all.

    The blocks of a large space are more than a device can measure in the time: those of whole networks come first, then
    some that cover all others; what the kit leaves out is fitted from what was measured.

    Args:
        source: what the kit is made of.
        settings: how the device is measured.
        folder: does not exist, or is empty.
        progress: called after each block.

    Raises:
        DuonasError: the folder is there already or cannot be written, or a block cannot be exported.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DuonasError(f"{folder} exists already: give another folder for the kit, or remove it.")
    plan = make_plan(source.pairs, max(FEWEST_BLOCKS, round(BLOCKS_A_MINUTE * settings.minutes)))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part") as temporary:
            fresh = Path(temporary, "kit")
            manifest = _Writer(source, settings, fresh).write(plan, progress)
            if folder.exists():
                folder.rmdir()
            fresh.rename(folder)
    except OSError as error:
        raise DuonasError(f"cannot write {folder}: {error.strerror or error}; nothing was changed there.") from error
    return manifest


class _Writer:
    """Writes the files of a kit.

    Args:
        source: what the kit is made of.
        settings: how the device is measured.
        folder: is created.
    """

    def __init__(self, source: KitSource, settings: Settings, folder: Path) -> None:
        self.source, self.settings, self.folder = source, settings, folder
        self.export = BlockExporter(source.cache, source.opset)
        self._scores: dict[tuple[str, tuple[int, ...]], onnx.ModelProto] = {}
        for name in ("blocks", "networks", "pairs"):
            (folder / name).mkdir(parents=True)

    def write(self, plan: Plan, progress: Progress) -> Manifest:
        """Write all files, and return the manifest."""
        space, total = self.source.pairs.space, len(plan.blocks)
        progress(0, total)
        blocks = []
        for number, block in enumerate(plan.blocks):
            blocks.append(KitBlock(self._save(f"blocks/{number:04}.onnx", self.export(block)), block_text(block)))
            progress(number + 1, total)
        networks = []
        for number, places in enumerate(plan.networks):
            model = chain([self.export(plan.blocks[place]) for place in places], "images", "logits")
            use: Use = "check" if number % 2 else "fit"
            networks.append(KitNetwork(self._save(f"networks/{number:02}.onnx", model), places, use))
        manifest = Manifest(
            __version__, space.name, space.image_size, self.settings, tuple(blocks), tuple(networks), self._pairs()
        )
        self._save(REFERENCE, reference())
        self._save(EMPTY, _empty())
        write_program(self.folder / PROGRAM)
        (self.folder / "README.txt").write_text(README.format(minutes=self.settings.minutes), encoding="utf-8")
        write_json(self.folder / MANIFEST, manifest.to_json())
        return manifest

    def _save(self, name: str, model: onnx.ModelProto) -> str:
        (self.folder / name).write_bytes(self._precise(model).SerializeToString())
        return name

    def _precise(self, model: onnx.ModelProto) -> onnx.ModelProto:
        if self.settings.precision == "fp32":
            return model
        return in_fp16(model, inside_only=False)  # between blocks nothing is float

    def _pairs(self) -> tuple[KitPair, ...]:
        written: list[KitPair] = []
        for number, pair in enumerate(_typical(self.source.pairs)):
            stem, little, big = self._towers(pair)
            name = f"pairs/{number}"
            alone = {
                role: self._save(f"{name}-{role}.onnx", self._chained((*stem, *tower), "images", "logits"))
                for role, tower in (("little", little), ("big", big))
            }
            shared = self._save(f"{name}-stem.onnx", self._chained(stem, "images", "features")) if stem else None
            for router in self.source.routers:
                routed = dynamic(self._parts(router, stem, little, big), 0.0, {})
                file = self._save(f"{name}-{len(written)}.onnx", routed)
                written.append(KitPair(router.priced_as, file, alone["little"], alone["big"], shared))
        return tuple(written)

    def _towers(self, pair: PairArch) -> tuple[tuple[BlockSpec, ...], ...]:
        pairs, shared = self.source.pairs, self.source.pairs.shared(pair)
        little, big = map(pairs.blocks, pairs.subnets(pair))
        return big[:shared], little[shared:], big[shared:]

    def _parts(
        self, router: Router, stem: tuple[BlockSpec, ...], little: tuple[BlockSpec, ...], big: tuple[BlockSpec, ...]
    ) -> Parts:
        space = self.source.pairs.space
        images = (3, space.image_size, space.image_size)
        features = (stem[-1].out_channels, stem[-1].out_resolution, stem[-1].out_resolution) if stem else images
        seen = {"input": images, "stem": features, "after_little": (space.classes,)}[router.position]
        return Parts(
            stem=self._chained(stem, "images", "features") if stem else None,
            little=self._chained(little, "features", "logits"),
            big=self._chained(big, "features", "logits"),
            score=self._score(router, seen),
            position=router.position,
        )

    def _score(self, router: Router, seen: tuple[int, ...]) -> onnx.ModelProto:
        """Export the score of a router that is fitted to made-up answers: what it answers takes the same time."""
        known = self._scores.get((router.priced_as, seen))
        if known is not None:
            return known
        answers = made_up(self.source.pairs.space.classes)
        drawn = stream(0, "score of a kit").random((len(answers), *seen), dtype=np.float32)
        given = torch.from_numpy(answers.little if router.position == "after_little" else drawn)
        with torch.no_grad():
            described = router.describe(given)
        fitted = router.fit(described, answers, stream(0, "router of a kit"))
        self._scores[router.priced_as, seen] = model = export_score(fitted, given, self.source.opset)
        return model

    def _chained(self, blocks: tuple[BlockSpec, ...], entry: str, leaving: str) -> onnx.ModelProto:
        return chain([self.export(block) for block in blocks], entry, leaving)


def _typical(pairs: PairSpace) -> list[PairArch]:
    """Return a pair with a big of middle size, and the one with the largest, of some that are drawn."""
    rng = stream(0, "pairs of a kit")
    drawn = list(dict.fromkeys(pairs.sample(rng) for _ in range(DRAWN_PAIRS)))
    drawn.sort(key=lambda pair: sum(block.macs for block in pairs.space.blocks(pair.big)))
    return list(dict.fromkeys([drawn[len(drawn) // 2], drawn[-1]]))[:PAIRS]


def reference() -> onnx.ModelProto:
    """Two convolutions of 2.4M multiply-accumulates each, by whose time a busy machine is noticed."""
    shape = (1, 32, 16, 16)
    weights = np.random.default_rng(0).normal(0, 0.05, (32, 32, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", [a, "weights"], [b], kernel_shape=[3, 3], pads=[1] * 4)
        for a, b in (("entering", "between"), ("between", "leaving"))
    ]
    return _model(nodes, shape, numpy_helper.from_array(weights, "weights"))


def _empty() -> onnx.ModelProto:
    return _model([helper.make_node("Identity", ["entering"], ["leaving"])], (1, 1))


def _model(nodes: list[onnx.NodeProto], shape: tuple[int, ...], *weights: onnx.TensorProto) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("entering", "leaving")]
    graph = helper.make_graph(nodes, "network", values[:1], values[1:], list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_program(path: Path) -> Path:
    """Write the program that measures a device: the runtime of duonas as one file that Python runs."""
    home = Path(duonas.runtime.__file__).parent
    with tempfile.TemporaryDirectory() as temporary:
        package = Path(temporary, "duonas")
        shutil.copytree(home, package / "runtime", ignore=lambda _, names: [n for n in names if n == "__pycache__"])
        (package / "__init__.py").write_text(f'__version__ = "{__version__}"\n', encoding="utf-8")
        zipapp.create_archive(temporary, path, main="duonas.runtime.measure_kit:main", compressed=True)
    return path
