"""Both architectures block by block, little to the left of a common spine and big to its right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from duonas.core.uib import PLACES, form
from duonas.report.figure import Drawing, Key, drawing, is_wide
from duonas.report.formatting import TIMES, count, percent, shorten
from duonas.report.svg import canvas, label, path, rect, tag
from duonas.report.theme import shade

ROW, HEAD = 38, 34
Block = dict[str, Any]
COUPLINGS = {
    "nested": "In the supernet, little's weights are a part of big's.",
    "sibling": "After the stem, each network has separate blocks and weights.",
    "partial": "Little branches off after stage {split}; from there on, each network has separate blocks and weights.",
    "generated": "The supernet generates the weights of each network; those of the stem are the same.",
    "independent": "Each network has blocks and weights of its own, from the image on.",
}


def rows(little: list[Block], big: list[Block]) -> list[tuple[Block | None, Block | None]]:
    """Blocks of little and big side by side, matched by name; a block that one of them lacks is ``None`` there.

    In a stage with a choice of kinds, blocks of different kinds are matched: their names end in the kind.
    """
    of_little, of_big = ({_place(block): block for block in tower} for tower in (little, big))
    # By stage, then by the place in big (in little for what only little has); heads come last in any case.
    places = {
        _place(block): (block["kind"] == "head", block["stage"], index)
        for tower in (little, big)
        for index, block in enumerate(tower)
    }
    return [(of_little.get(name), of_big.get(name)) for name in sorted(places, key=lambda name: places[name])]


def _place(block: Block) -> str:
    return str(block["name"]).removesuffix(f"_{block['kind']}")


def architectures(pair: dict[str, Any]) -> Drawing:
    """A bar for each block: its length grows with the channels, its height and shade with the MACs."""
    little, big, shared = pair["blocks"]["little"], pair["blocks"]["big"], int(pair["shared"])
    matched = rows(little, big)
    most_macs = max((block["macs"] for block in little + big), default=0) or 1
    most_channels = max((_channels(block) for block in little + big), default=1)
    common = {_place(block) for block in little[:shared]}

    def draw(width: int) -> Markup:
        spine, room = (150, 150) if is_wide(width) else (112, 50)  # for names in the middle, for words beside the bars
        scale = ((width - spine) / 2 - room) / most_channels**0.5
        columns = [
            Column(role, sign, width / 2 + sign * spine / 2, scale, room)
            for role, sign in (("little", -1), ("big", 1))
        ]  # fmt: skip
        parts = [column.head(pair["blocks"][column.role]) for column in columns]
        for index, both in enumerate(matched):
            centre = HEAD + ROW * (index + 0.5)
            name = next(_place(block) for block in both if block)
            parts.append(label(width / 2, centre + 4, shorten(name, 15), "name", "middle"))
            for column, block in zip(columns, both, strict=True):
                parts.append(
                    column.bar(block, centre, block["macs"] / most_macs, name in common)
                    if block else column.gap(centre)
                )  # fmt: skip
        return canvas(width, HEAD + ROW * len(matched) + 8, "The blocks of little and big", parts)

    keys = [Key("little", "little"), Key("big", "big")]
    if shared:
        keys.append(Key("shared", "shared, computed once"))
    return drawing("Block by block", draw, _caption(pair, shared), keys)


def _caption(pair: dict[str, Any], shared: int) -> str:
    little, big = (_macs(pair["blocks"][role]) for role in ("little", "big"))
    common = (
        f"and the {shared} shared leading blocks (hatched) are computed once" if shared else "and no block is shared"
    )
    caption = (
        "A bar's length grows with the square root of its channels, its height and shade with its MACs; "
        f"little takes {percent(little / max(big, 1), 0)} of big's MACs, {common}."
    )
    coupling = pair["coupling"]
    if coupling == "nested" and not pair["within"]:
        coupling = "generated"
    words = COUPLINGS.get(coupling, "").format(split=pair["pair"].get("split"))
    return f"{caption} {words}".rstrip()


def _macs(blocks: list[Block]) -> int:
    return sum(block["macs"] for block in blocks)


def _channels(block: Block) -> int:
    """Output channels; of the head the features that it widens to, since the logits are few."""
    layers = block["layers"] if block["kind"] == "head" else []
    return int(max([block["out_channels"], *(layer["out_channels"] for layer in layers)]))


@dataclass(frozen=True)
class Column:
    """The bars of one network.

    Args:
        role: little or big.
        sign: -1 where the bars grow to the left, 1 where they grow to the right.
        start: where they begin, in pixels.
        scale: pixels for the root of one channel.
        room: pixels for the words beside the longest bar.
    """

    role: str
    sign: int
    start: float
    scale: float
    room: int

    def head(self, blocks: list[Block]) -> Markup:
        """The name of the network and its MACs."""
        text = f"{self.role} {count(_macs(blocks), 'MACs' if self.room > 100 else '')}"
        return self._label(6, 16, text, f"note {self.role}")

    def gap(self, centre: float) -> Markup:
        """The stub that stands for a block which this network leaves out."""
        line = path([(self._x(2), centre), (self._x(26), centre)], "gap")
        return tag("g", self._rect(30, centre, 24, "hit"), line, tip=f"{self.role} does not have this block")

    def bar(self, block: Block, centre: float, share: float, shared: bool) -> Markup:
        """A block; ``share`` is its MACs relative to the dearest block's."""
        length, height = max(self.scale * _channels(block) ** 0.5, 6.0), 5 + 27 * share**0.5
        parts = [
            self._rect(length + self.room, centre, ROW, "hit"),
            self._rect(length, centre, height, f"fill {self.role}{shade(share**0.5)}", 3),
        ]
        if shared:
            parts.append(self._rect(length, centre, height, "fill shared", 3))
        parts.append(self._label(length + 8, centre + 4, _text(block, self.room > 100), "tick"))
        return tag("g", parts, class_="block", tip=_tip(block, self.role, shared))

    def _x(self, length: float) -> float:
        return self.start + self.sign * length

    def _rect(self, length: float, centre: float, height: float, class_: str, rx: float | None = None) -> Markup:
        return rect(min(self.start, self._x(length)), centre - height / 2, length, height, class_, rx)

    def _label(self, length: float, y: float, text: str, class_: str) -> Markup:
        return label(self._x(length), y, text, class_, "start" if self.sign > 0 else "end")


def _text(block: Block, wide: bool) -> str:
    """What stands beside a bar."""
    channels = f"{block['out_channels']} ch"
    if block["kind"] == "input":
        return f"{block['out_resolution']}²"
    if block.get("operations"):
        return channels
    if block["kind"] == "head":
        return f"{_channels(block)} ch → {block['out_channels']}" if wide else f"→ {block['out_channels']}"
    if block["kind"] == "uib":
        kernels = _depthwise(block)
        text = f"{kernels[0]}, {kernels[1]}"
        return f"{form(*kernels)} · {text} · {channels}" if wide else text
    kernel, expand = f"{block['kernel']}{TIMES}{block['kernel']}", f"{TIMES}{block['expansion']}"
    if not wide:
        return f"{kernel} {expand}" if block["expansion"] > 1 else kernel
    return " · ".join([kernel, *([f"expand {expand}"] if block["expansion"] > 1 else []), channels])


def _depthwise(block: Block) -> tuple[int, int]:
    """Sides of the two depthwise kernels of a universal inverted bottleneck; 0 where one is not there."""
    sides = {layer["name"]: layer["kernel"] for layer in block["layers"]}
    first, second = (sides.get(place, 0) for place in PLACES)
    return first, second


def _kernels(block: Block) -> str:
    if block["kind"] != "uib":
        return f"kernel {block['kernel']}{TIMES}{block['kernel']}"
    sides = _depthwise(block)
    there = [f"{place} depthwise {side}{TIMES}{side}" for place, side in zip(PLACES, sides, strict=True) if side]
    return ", ".join([form(*sides), *there])


def _tip(block: Block, role: str, shared: bool) -> str:
    stride = f", stride {block['stride']}" if block["stride"] > 1 else ""
    extras = (("squeeze_excite", ", squeeze-excite"), ("residual", ", residual"))
    lines = [
        f"{block['name']} ({block['kind']}) of {role}" + (", shared" if shared else ""),
        f"channels {block['in_channels']} → {block['out_channels']}",
        f"map {block['resolution']}² → {block['out_resolution']}²",
        ", ".join(block.get("operations", [])) or f"{_kernels(block)}{stride}, expansion {block['expansion']}",
        f"activation {block['activation']}" + "".join(text for key, text in extras if block[key]),
        f"{count(block['macs'], 'MACs')}, {count(block['params'], 'params')}",
    ]
    return "\n".join(lines)
