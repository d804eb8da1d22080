"""Quantise a pair, and the plain network beside it, to int8: calibrate, look at each layer, keep the worst in float."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from torch import nn

from duonas.core.protocols import Progress
from duonas.data.batches import evaluation_batches
from duonas.data.images import Images
from duonas.data.ondisk import Pixels
from duonas.deploy.against_float import BATCH, NAMES, PARTS_OF, AgainstFloat, Models
from duonas.deploy.options import ExportOptions
from duonas.deploy.quantize import WEIGHT_BITS, Layer, Ranges, check_layers, check_opset, in_int8, layers_of, ranges_of
from duonas.pair.onnx_network import OnnxNetwork


@dataclass(frozen=True)
class Material:
    """The images by which networks are quantised.

    Args:
        train: (N, 3, H, W) uint8, of the train split: to calibrate on.
        sent: (M, 3, H, W) uint8, those of the train split that little sends to big; ``None`` if there are none, or if
            they are all.
        val: the val split, on which the result is judged.
        val_sent: (V,) bool, which of these little sends to big.
    """

    train: Pixels
    sent: Pixels | None
    val: Images
    val_sent: np.ndarray


@dataclass(frozen=True)
class LayerLoss:
    """What is lost when one layer alone is quantised (paper D, App. D.2).

    Args:
        part: ``stem``, ``little``, ``big`` or ``plain``.
        layer: the layer.
        points: of accuracy that are lost, of the network that loses most; negative where some are won.
        flips: images whose answer changes.
        noise: the mean square of the change of the logits, relative to their variance over the classes.
    """

    part: str
    layer: Layer
    points: float
    flips: int
    noise: float

    @property
    def rank(self) -> tuple[int, float]:
        """Sorts layers from the least to the worst: by the images whose answers change, and then by the noise."""
        return self.flips, self.noise


@dataclass
class _Part:
    """A part on its way to int8."""

    model: onnx.ModelProto
    layers: tuple[Layer, ...]
    ranges: Ranges = field(default_factory=dict)

    def make(self, *, only: Sequence[str] = (), but: Sequence[str] = ()) -> onnx.ModelProto:
        """Return the part in int8; as it is, if it has no layers or all of them stay in float."""
        if not {each.node for each in self.layers} - set(but):
            return self.model
        return in_int8(self.model, self.ranges, only=only, but=but)


class Int8:
    """Quantises a pair and the plain network beside it.

    Args:
        models: float32 graphs by part, which were ``prepared``.
        material: images.
        options: the ``[export]`` table.
        judge: compares results with the float networks.
    """

    def __init__(self, models: Models, material: Material, options: ExportOptions, judge: AgainstFloat) -> None:
        self.material, self.options, self.judge = material, options, judge
        self.parts = {part: _Part(model, layers_of(model)) for part, model in models.items()}
        for part in self.parts.values():
            check_opset(part.model)
        for role in judge.roles:
            check_layers(self.parts[role].layers, NAMES[role])

    def make(self, progress: Progress) -> tuple[Models, dict[str, Any]]:
        """Return the networks by part, and what was found out."""
        done, total = 0, sum(len(part.layers) for part in self.parts.values())
        progress(done, total)
        chosen = self._calibrate()
        losses: list[LayerLoss] = []
        rows = self._rows()
        for name in self.parts if len(rows) else ():
            for loss in self._losses(name, rows):
                losses.append(loss)
                progress(len(losses), total)
        kept, reached = self._bounded(losses)
        made = {name: part.make(but=_nodes(kept, name)) for name, part in self.parts.items()}
        table = [_row(loss, loss in kept) for loss in losses]
        found = {"weight_bits": WEIGHT_BITS, "calibration": chosen, "layer_images": len(rows), "layers": table}
        return made, found | {"bound": reached}

    def _calibrate(self) -> dict[str, Any]:
        """Find the ranges of all parts, those of big on all images or on those sent to it, and say which."""
        material, parts = self.material, self.parts
        stem = parts.get("stem")
        if stem is not None and stem.layers:
            stem.ranges = ranges_of(stem.model, batches_of(material.train), NAMES["stem"])
        features = None if stem is None else OnnxNetwork(stem.make())
        for name in [each for each in parts if each not in ("stem", "big")]:
            through = None if name == "plain" else features
            parts[name].ranges = ranges_of(parts[name].model, batches_of(material.train, through), NAMES[name])
        ways = {"all": material.train} | ({} if material.sent is None else {"sent": material.sent})
        ranges, found = {}, {}
        for way, pixels in ways.items():
            parts["big"].ranges = ranges[way] = ranges_of(parts["big"].model, batches_of(pixels, features), "big")
            logits = self.judge.logits("big", self._models("stem", "big"))
            found[way] = {"images": len(pixels)} | self._judged(logits)
        best = max(found, key=lambda way: (found[way]["right_of_sent"], found[way]["right"], way == "all"))
        parts["big"].ranges = ranges[best]
        return {"images": len(material.train), "big": best, "ways": found}

    def _judged(self, logits: np.ndarray) -> dict[str, int]:
        right = self.judge.right(logits)
        return {"right": int(right.sum()), "right_of_sent": int(right[self.material.val_sent].sum())}

    def _models(self, *names: str) -> Models:
        return {name: self.parts[name].make() for name in names if name in self.parts}

    def _rows(self) -> np.ndarray:
        """Return the val images on which each layer is looked at, evenly over the split."""
        count = min(self.options.layer_images, len(self.material.val))
        return np.unique(np.linspace(0, len(self.material.val) - 1, count).round().astype(int))

    def _losses(self, name: str, rows: np.ndarray) -> Iterator[LayerLoss]:
        """Yield what is lost by each layer of a part alone."""
        judge, part = self.judge, self.parts[name]
        labels = judge.labels[rows]
        roles = [role for role in judge.roles if name in PARTS_OF[role]]
        for layer in part.layers:
            model, found = part.make(only=[layer.node]), []
            for role in roles:
                before, after = judge.float[role][rows], judge.logits(role, {name: model}, rows)
                lost = (before.argmax(1) == labels).mean() - (after.argmax(1) == labels).mean()
                flips = int((before.argmax(1) != after.argmax(1)).sum())
                found.append(LayerLoss(name, layer, 100 * float(lost), flips, _noise(before, after)))
            yield max(found, key=lambda each: each.rank)

    def _bounded(self, losses: Sequence[LayerLoss]) -> tuple[set[LayerLoss], dict[str, Any] | None]:
        """Return the layers to leave in float so that no network loses more than it may, and what each then loses."""
        most = self.options.most_points_lost
        if most is None:
            return set(), None
        kept: set[LayerLoss] = set()
        counts = dict.fromkeys(self.judge.roles, 0)
        while losing := [role for role in counts if self._lost(role, kept) > most]:
            for role in losing:
                counts[role] = max(1, 2 * counts[role])
                of_role = (each for each in losses if each.part in PARTS_OF[role])
                kept |= set(sorted(of_role, key=lambda each: each.rank, reverse=True)[: counts[role]])
        return kept, {"most_points_lost": most, "layers_in_float": len(kept)}

    def _lost(self, role: str, kept: set[LayerLoss]) -> float:
        made = {name: self.parts[name].make(but=_nodes(kept, name)) for name in PARTS_OF[role] if name in self.parts}
        return self.judge.points_lost(role, self.judge.logits(role, made))


def _nodes(kept: set[LayerLoss], part: str) -> list[str]:
    return sorted(each.layer.node for each in kept if each.part == part)


def _row(loss: LayerLoss, in_float: bool) -> dict[str, Any]:
    return {
        "part": loss.part, "layer": loss.layer.label, "weights": loss.layer.weights, "points_lost": loss.points,
        "flips": loss.flips, "noise": loss.noise, "in_float": in_float,
    }  # fmt: skip


def _noise(before: np.ndarray, after: np.ndarray) -> float:
    signal = float(before.var(axis=1).mean())
    return float(np.square(after - before).mean()) / signal if signal else 0.0


def batches_of(pixels: Pixels, through: nn.Module | None = None) -> Iterator[np.ndarray]:
    """Yield images as a part reads them: as they are, or through a stem."""
    for batch in evaluation_batches(pixels, BATCH):
        found = batch if through is None else through(batch)
        yield np.ascontiguousarray(found.cpu().numpy())
