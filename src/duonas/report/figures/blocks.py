"""Both architectures block by block, little to the left of a common spine and big to its right."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from duonas.core.uib import PLACES, form
from duonas.report.figure import Figure, Key, figure
from duonas.report.svg import canvas, join, label, path, tag
from duonas.report.words import TIMES, count, percent, shorten

ROW, HEAD, SHADES = 38, 34, 6
Block = dict[str, Any]
COUPLINGS = {
    "nested": "In the supernet, little's weights are a part of big's.",
    "sibling": "Behind the stem each has a tower of its own.",
    "partial": "Little branches off after stage {split}; from there on each has a tower of its own.",
}

MADE = "The supernet makes the weights of each; those of the stem are the same."  # of nested ones, where it does


def rows(little: list[Block], big: list[Block]) -> list[tuple[Block | None, Block | None]]:
    """Blocks of both towers side by side, matched by name; a block that one lacks is ``None`` there."""
    mine, other = ({block["name"]: block for block in tower} for tower in (little, big))
    # By stage, then by the place in big (in little for what only little has).
    places = {block["name"]: (block["stage"], index) for tower in (little, big) for index, block in enumerate(tower)}
    return [(mine.get(name), other.get(name)) for name in sorted(places, key=lambda name: places[name])]


def architectures(pair: dict[str, Any]) -> Figure:
    """A bar a block: length grows with channels, height and shade with MACs."""
    little, big, shared = pair["blocks"]["little"], pair["blocks"]["big"], int(pair["shared"])
    matched = rows(little, big)
    dearest = max((block["macs"] for block in little + big), default=0) or 1
    widest = max((_channels(block) for block in little + big), default=1)
    common = {block["name"] for block in little[:shared]}
    height = HEAD + ROW * len(matched) + 8

    def draw(width: int) -> Markup:
        spine, room = (150, 150) if width > 500 else (112, 50)  # for names in the middle, for words beside the bars
        parts = []
        for side, text in ((-1, "little"), (1, "big")):
            total = sum(block["macs"] for block in pair["blocks"][text])
            words = f"{text} {count(total, 'MACs' if width > 500 else '')}"
            parts.append(
                label(width / 2 + side * (spine / 2 + 6), 16, words, f"note {text}", "end" if side < 0 else "start")
            )
        for index, both in enumerate(matched):
            centre = HEAD + ROW * (index + 0.5)
            name = next(block["name"] for block in both if block)
            parts.append(label(width / 2, centre + 4, shorten(name, 15), "name", "middle"))
            for side, role, block in ((-1, "little", both[0]), (1, "big", both[1])):
                scale = ((width - spine) / 2 - room) / widest**0.5
                parts.append(
                    _bar(block, side, role, centre, width / 2 + side * spine / 2, scale, dearest, name in common, room)
                )
        return canvas(width, height, "The blocks of little and big", join(parts))

    work = sum(block["macs"] for block in little) / max(sum(block["macs"] for block in big), 1)
    common_part = (
        f"and the {shared} shared leading blocks (hatched) are computed once" if shared else "and no block is shared"
    )
    caption = (
        "A bar's length grows with the root of its channels, its height and shade with its MACs; "
        f"little does {percent(work, 0)} of big's work, {common_part}."
    )
    coupling = pair.get("coupling", "")
    if coupling in COUPLINGS:
        words = MADE if coupling == "nested" and not pair.get("within", True) else COUPLINGS[coupling]
        caption += " " + words.format(split=pair["pair"].get("split"))
    keys = [Key("box", "little", "little"), Key("box", "big", "big")]
    if shared:
        keys.append(Key("box", "shared", "shared, computed once"))
    return figure("Block by block", draw, caption, tuple(keys))


def _channels(block: Block) -> int:
    """Channels that leave; for the head the features it widens to, the logits being few."""
    return int(
        max(
            [block["out_channels"]]
            + ([layer["out_channels"] for layer in block["layers"]] if block["kind"] == "head" else [])
        )
    )


def _bar(
    block: Block | None,
    side: int,
    role: str,
    centre: float,
    start: float,
    scale: float,
    dearest: int,
    shared: bool,
    room: int,
) -> Markup:
    if block is None:
        tip = f"{role} leaves this block out"
        gap = path([(start + side * 2, centre), (start + side * 26, centre)], "gap")
        return tag(
            "g",
            tag("rect", x=min(start, start + side * 30), y=centre - 12, width=30, height=24, class_="hit"),
            gap,
            tip=tip,
        )
    length = max(scale * _channels(block) ** 0.5, 6.0)
    share = block["macs"] / dearest
    height = 5 + 27 * share**0.5
    left = start if side > 0 else start - length
    shade = min(int(share**0.5 * SHADES), SHADES - 1)
    parts = [
        tag(
            "rect",
            x=min(start, start + side * (length + room)),
            y=centre - ROW / 2,
            width=length + room,
            height=ROW,
            class_="hit",
        ),
        tag(
            "rect", x=left, y=centre - height / 2, width=length, height=height, rx=3, class_=f"fill {role} shade{shade}"
        ),
    ]
    if shared:
        parts.append(
            tag("rect", x=left, y=centre - height / 2, width=length, height=height, rx=3, class_="fill shared")
        )
    parts.append(
        label(start + side * (length + 8), centre + 4, _short(block, room), "tick", "start" if side > 0 else "end")
    )
    return tag("g", *parts, class_="block", tip=_tip(block, role, shared))


def _short(block: Block, room: int) -> str:
    if block["kind"] == "input":
        return f"{block['out_resolution']}²"
    wide = room > 100
    if block.get("operations"):
        return f"{block['out_channels']} ch"
    if block["kind"] == "head":
        return f"{_channels(block)} ch → {block['out_channels']}" if wide else f"→ {block['out_channels']}"
    if block["kind"] == "uib":
        first, second = _depthwise(block)
        name = f"{form(first, second)} · " if wide else ""
        return f"{name}{first}, {second}" + (f" · {block['out_channels']} ch" if wide else "")
    kernel, expand = f"{block['kernel']}{TIMES}{block['kernel']}", f"{TIMES}{block['expansion']}"
    if not wide:
        return f"{kernel} {expand}" if block["expansion"] > 1 else kernel
    return " · ".join(
        [kernel, *([f"expand {expand}"] if block["expansion"] > 1 else []), f"{block['out_channels']} ch"]
    )


def _kernels(block: Block) -> str:
    if block["kind"] != "uib":
        return f"kernel {block['kernel']}{TIMES}{block['kernel']}"
    sides = _depthwise(block)
    there = [f"{place} depthwise {side}{TIMES}{side}" for place, side in zip(PLACES, sides, strict=True) if side]
    return ", ".join([form(*sides), *there])


def _depthwise(block: Block) -> tuple[int, int]:
    """Sides of the two depthwise kernels of a universal inverted bottleneck; 0 where one is not there."""
    sides = {layer["name"]: layer["kernel"] for layer in block["layers"]}
    first, second = (sides.get(place, 0) for place in PLACES)
    return first, second


def _tip(block: Block, role: str, shared: bool) -> str:
    stride = f", stride {block['stride']}" if block["stride"] > 1 else ""
    lines = [
        f"{block['name']} ({block['kind']}) of {role}" + (", shared" if shared else ""),
        f"channels {block['in_channels']} → {block['out_channels']}",
        f"map {block['resolution']}² → {block['out_resolution']}²",
        ", ".join(block.get("operations", [])) or f"{_kernels(block)}{stride}, expansion {block['expansion']}",
        f"activation {block['activation']}"
        + (", squeeze-excite" if block["squeeze_excite"] else "")
        + (", residual" if block["residual"] else ""),
        f"{count(block['macs'], 'MACs')}, {count(block['params'], 'params')}",
    ]
    return "\n".join(lines)
