"""The command lines of the programs that run on a device."""

from __future__ import annotations

import argparse
from pathlib import Path
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


def check_out(out: Path) -> Path:
    """Return the path of a result, so that one that cannot be written is refused before anything is measured.

    Raises:
        BundleError: it is a folder, or in one that does not exist.
    """
    if out.is_dir() or not out.resolve().parent.is_dir():
        raise BundleError(f"--out {out}: expected a file in a folder that exists.")
    return out
