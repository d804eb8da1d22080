"""Options that take several values at once, ``--little a.onnx b.onnx``, beside being repeated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from typer.core import TyperCommand

NETWORKS = ("--little", "--big")


def spread(arguments: Sequence[str], options: Collection[str]) -> list[str]:
    """Return a command's arguments with some options repeated before each of their values.

    All that follows one, up to the next option, is its own.

    Args:
        arguments: as they were typed.
        options: those that take several values, such as ``--little``.
    """
    found: list[str] = []
    option = ""  # whose values follow
    for place, each in enumerate(arguments):
        if each == "--":
            return [*found, *arguments[place:]]
        if not each.startswith("-"):
            found += [option, each] if option else [each]
            continue
        name, equals, value = each.partition("=")
        option = name if name in options else ""
        follows = arguments[place + 1 : place + 2]
        if option and equals:
            found += [option, value]
        elif not option or not follows or follows[0].startswith("-"):  # without a value it is refused
            found.append(each)
    return found


class TakesNetworks(TyperCommand):
    """A command whose ``--little`` and ``--big`` take several networks each."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        return super().parse_args(ctx, spread(args, NETWORKS))
