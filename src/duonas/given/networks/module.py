"""Your own torch.nn.Module as file.py:NAME, or a function or a class that makes one."""

from __future__ import annotations

from typing import Any

from torch import nn

from duonas.core.errors import DuonasError
from duonas.core.plugin import load_plugin
from duonas.given.exported import exported
from duonas.given.network import GivenNetwork, Read, Wants
from duonas.pair.options import NetworkOptions


class Module(GivenNetwork):
    """Loads a module from a file of the user's own, and exports it."""

    key = "module"

    def read(self, options: NetworkOptions, opset: int) -> Read:
        """Load the module and export it in eval mode.

        Raises:
            DuonasError: the file does not define a module, the size of its images is not given, or it cannot be
                exported.
        """
        if options.size is None:
            raise DuonasError(
                f"{options.called}: the size of its images must be given, as in "
                f'{{ module = "{options.module}", size = 224 }}.'
            )
        module = _made(load_plugin(str(options.module), "[pair.given]"), options.called)
        return Read(exported(module.eval(), options.size, options.called, opset), Wants(options.size))


def _made(found: Any, called: str) -> nn.Module:
    """A module, or what a function or a class makes without arguments."""
    if not isinstance(found, nn.Module) and callable(found):
        try:
            found = found()
        except Exception as error:  # a user's file can fail in any way
            said = " ".join(str(error).split()).rstrip(".")
            raise DuonasError(f"{called} cannot be made without arguments: {type(error).__name__}: {said}.") from error
    if not isinstance(found, nn.Module):
        raise DuonasError(f"{called} is no torch.nn.Module, and makes none: it is of type {type(found).__name__}.")
    return found
