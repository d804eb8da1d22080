"""The command lines of the programs that run on a device."""

from __future__ import annotations

import argparse
from typing import NoReturn

from .errors import BundleError


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Raise the message.

        Raises:
            BundleError: always.
        """
        raise BundleError(f"{message.rstrip('.')}: see `{self.prog} --help`.")
