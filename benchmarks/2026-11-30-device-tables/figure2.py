"""Time against MACs, device by device (paper D, figure 2), as SVG and numbers.

    python benchmarks/2026-11-30-device-tables/figure2.py DATA OUT [--table FILE ...]

``DATA`` is a folder with ``nasbench201.parquet``, ``nasbench201_hardware.parquet``, ``nasbench201_latency.parquet`` and
``fbnet_latency.parquet``: published times of whole networks, one row an arch, with the arch's text in ``arch``. Each
``--table`` is a device table of the space nasbench201, such as ``tables.py`` writes; its times of whole networks are
sums of blocks. MACs are counted by duonas for the cells, and for FBNet from its table of layers (Wu et al. 2019).

For each device: Spearman's rank correlation of time with MACs, and the spread of time at equal MACs: the median, over
groups of at least 20 networks whose MACs differ by less than 1 %, of the 95th over the 5th percentile of their times.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from pyarrow import parquet
from scipy.stats import spearmanr

from duonas.core.couplings import pair_space
from duonas.core.pair import PairSpace
from duonas.costs.analytic import analytic
from duonas.costs.device import cost_model
from duonas.costs.options import DeviceOptions
from duonas.spaces.nasbench201 import NasBench201, NasBench201Space

GROUP, WIDTH = 20, 0.01
COLUMNS, PANEL_W, PANEL_H = 4, 250, 190
LEFT, TOP, RIGHT, BOTTOM = 46, 34, 10, 34
BINS_X, BINS_Y = 70, 50
SHOWN = (
    "cells: cifar10_raspi4", "cells: cifar100_pi5_onnx", "cells: cifar100_pi5_litert", "cells: cifar10_edgegpu",
    "cells: cifar10_pixel3", "cells: cifar10_edgetpu", "cells: cifar10_fpga", "cells: samsung_a50",
    "cells: gold_6240", "cells: gpu_1080ti_b1", "fbnet: raspi4", "fbnet: pixel3",
)  # fmt: skip
STAGES = (
    (16, 1, 1),
    (24, 4, 2),
    (32, 4, 2),
    (64, 4, 2),
    (112, 4, 1),
    (184, 4, 2),
    (352, 1, 1),
)  # channels, layers, stride
STEM, LAST, CLASSES, SIZE = 16, 1504, 100, 224


@dataclass(frozen=True)
class Device:
    """MACs in millions and times in ms of N networks on a device."""

    name: str
    macs: np.ndarray
    times: np.ndarray

    @property
    def correlation(self) -> float:
        return float(spearmanr(self.macs, self.times).statistic)

    @property
    def spread(self) -> float | None:
        order = np.argsort(self.macs, kind="stable")
        macs, times = self.macs[order], self.times[order]
        ratios, start = [], 0
        while start < len(macs):
            end = int(np.searchsorted(macs, macs[start] * (1 + WIDTH), side="right"))
            if end - start >= GROUP and macs[start] > 0:
                few, many = np.percentile(times[start:end], (5, 95))
                ratios.append(many / few)
            start = max(end, start + 1)
        return float(np.median(ratios)) if ratios else None

    def to_json(self) -> dict[str, object]:
        return {"device": self.name, "networks": len(self.macs), "rank_correlation": self.correlation,
                "spread_at_equal_macs": self.spread}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--table", type=Path, action="append", default=[], help="a device table of nasbench201")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    space = NasBench201.space(NasBench201.Options(), 32, 10)
    devices = [*tables_here(given.table, pair_space(space)), *cells(given.data, space), *fbnet(given.data)]
    rows = [device.to_json() for device in devices]
    (given.out / "figure2.json").write_text(json.dumps(rows, indent=2) + "\n")
    (given.out / "figure2.md").write_text(markdown(rows))
    mine = tuple(device.name for device in devices[: len(given.table)])
    (given.out / "figure2.svg").write_text(figure([each for each in devices if each.name in (*mine, *SHOWN)]))
    print(markdown(rows))


def tables_here(paths: list[Path], pairs: PairSpace) -> Iterator[Device]:
    """The cells by tables of blocks."""
    archs = list(pairs.space.archs())
    macs = np.array([analytic(pairs.space.blocks(arch)).macs for arch in archs]) / 1e6
    for path in paths:
        model = cost_model(DeviceOptions(str(path)), pairs)
        about = model.origin() or {}
        times = np.array([model(pairs.space.blocks(arch)).latency_ms for arch in archs])
        yield Device(f"cells: {about.get('device', path.stem)}, threads {about.get('threads', '?')}", macs, times)


def cells(data: Path, space: NasBench201Space) -> Iterator[Device]:
    """The published tables of NAS-Bench-201; cells that do not connect input to output are left out."""
    macs = {space.text(arch): analytic(space.blocks(arch)).macs / 1e6 for arch in space.archs()}
    connected = {space.text(arch) for arch in space.archs() if _connected(space.operations(arch))}
    for name in ("nasbench201_hardware", "nasbench201_latency"):
        table = parquet.read_table(data / f"{name}.parquet").to_pydict()
        archs = table["arch"]
        for column, values in table.items():
            if column.endswith("_latency_ms"):
                kept = [(macs[arch], value) for arch, value in zip(archs, values, strict=True)
                        if value is not None and arch in connected]  # fmt: skip
                counted, times = np.array(kept, dtype=float).T
                yield Device(f"cells: {column.removesuffix('_latency_ms')}", counted, times)


def _connected(operations: tuple[str, ...]) -> bool:
    reached = {0}
    for (source, node), operation in zip(((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)), operations, strict=True):
        if operation != "none" and source in reached:
            reached.add(node)
    return 3 in reached


def fbnet(data: Path) -> Iterator[Device]:
    """The published tables of FBNet."""
    table = parquet.read_table(data / "fbnet_latency.parquet").to_pydict()
    macs = np.array([fbnet_macs(arch.split(",")) for arch in table["arch"]]) / 1e6
    for column, values in table.items():
        if column.endswith("_latency_ms"):
            yield Device(f"fbnet: {column.removesuffix('_latency_ms')}", macs, np.array(values, dtype=float))


def fbnet_macs(layers: list[str]) -> int:
    """MACs of an arch of FBNet at 224 px."""
    side = SIZE // 2
    macs, channels, remaining = 3 * 9 * STEM * side**2, STEM, iter(layers)
    for out, number, first in STAGES:
        for index in range(number):
            stride, kind = (first if index == 0 else 1), next(remaining)
            after = side // stride
            if kind != "skip":
                kernel, expansion, groups = _block(kind)
                hidden = channels * expansion
                macs += channels * hidden // groups * side**2 + hidden * kernel**2 * after**2
                macs += hidden * out // groups * after**2
            elif stride > 1 or out != channels:  # a 1 x 1 convolution then
                macs += channels * out * after**2
            side, channels = after, out
    return macs + channels * LAST * side**2 + LAST * CLASSES


def _block(kind: str) -> tuple[int, int, int]:
    """Kernel, expansion and groups of a block such as ``k3_e1_g2``."""
    parts = {part[0]: int(part[1:]) for part in kind.split("_")}
    return parts["k"], parts["e"], parts.get("g", 1)


def markdown(rows: list[dict[str, object]]) -> str:
    lines = ["| device | networks | rank correlation of time with MACs | spread at equal MACs |", "|---|---|---|---|"]
    for row in rows:
        spread = "-" if row["spread_at_equal_macs"] is None else f"{row['spread_at_equal_macs']:.2f} x"
        lines.append(f"| {row['device']} | {row['networks']:,} | {row['rank_correlation']:.3f} | {spread} |")
    return "\n".join(lines) + "\n"


def figure(devices: list[Device]) -> str:
    """Panels of time against MACs, both logarithmic; a square is the darker the more networks lie there."""
    rows = -(-len(devices) // COLUMNS)
    panels = "".join(
        f'<g transform="translate({place % COLUMNS * PANEL_W},{place // COLUMNS * PANEL_H})">{panel(device)}</g>'
        for place, device in enumerate(devices)
    )
    width, height = COLUMNS * PANEL_W, rows * PANEL_H
    style = ("text{font:11px sans-serif;fill:#333}.t{font-weight:600}rect{fill:#1f5f8b}"
             "path{stroke:#bbb;fill:none}.bg{fill:#fff}")  # fmt: skip
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>Time against MACs by device</title><style>{style}</style>'
        f'<rect class="bg" width="{width}" height="{height}"/>{panels}</svg>\n'
    )


def panel(device: Device) -> str:
    kept = (device.macs > 0) & (device.times > 0)
    x, y = np.log10(device.macs[kept]), np.log10(device.times[kept])
    spans = [(float(each.min()), float(each.max()) + 1e-9) for each in (x, y)]
    counts, _, _ = np.histogram2d(x, y, (BINS_X, BINS_Y), spans)
    width, height = PANEL_W - LEFT - RIGHT, PANEL_H - TOP - BOTTOM
    step_x, step_y, most = width / BINS_X, height / BINS_Y, np.log1p(counts.max())
    squares = "".join(
        f'<rect x="{LEFT + i * step_x:.1f}" y="{TOP + height - (j + 1) * step_y:.1f}" width="{step_x:.1f}" '
        f'height="{step_y:.1f}" opacity="{0.15 + 0.85 * np.log1p(counts[i, j]) / most:.2f}"/>'
        for i, j in np.argwhere(counts)
    )
    spread = device.spread
    below = f"{device.correlation:.2f} rank correlation" + ("" if spread is None else f", spread {spread:.1f} x")
    ends = [[f"{10**end:.3g}" for end in span] for span in spans]
    return (
        f'<text class="t" x="{LEFT}" y="14">{escape(device.name)}</text><text x="{LEFT}" y="28">{below}</text>'
        f'<path d="M{LEFT} {TOP}V{TOP + height}H{LEFT + width}"/>{squares}'
        f'<text x="{LEFT}" y="{PANEL_H - 18}">{ends[0][0]}</text>'
        f'<text x="{LEFT + width}" y="{PANEL_H - 18}" text-anchor="end">{ends[0][1]} M MACs</text>'
        f'<text x="{LEFT - 4}" y="{TOP + height}" text-anchor="end">{ends[1][0]}</text>'
        f'<text x="{LEFT - 4}" y="{TOP + 10}" text-anchor="end">{ends[1][1]} ms</text>'
    )


if __name__ == "__main__":
    main()
