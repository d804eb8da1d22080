"""The error for invalid input, and hints for misspelt names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_LONG = re.compile(r"\S{300,}")  # a word that nobody reads to its end


class DuonasError(Exception):
    """A mistake in the input. The message is one sentence for the user; the command line exits with code 2."""

    def __init__(self, message: str) -> None:
        message = message.replace("?.", "?").replace("?,", ",")  # a hint may end in a question mark
        super().__init__(_LONG.sub(lambda word: f"{word[0][:100]}...{word[0][-50:]}", message))


def nearest(name: str, options: Iterable[str]) -> str:
    """A hint for a misspelt ``name``: the nearest of ``options``, or all of them when none is near."""
    names = sorted(options)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(names)}"
