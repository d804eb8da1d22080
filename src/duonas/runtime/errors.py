"""The errors of the runtime."""

from __future__ import annotations


class BundleError(Exception):
    """A bundle, an input or a target that cannot be used; the message is one sentence for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(message.replace("?.", "?"))  # a hint may end in a question mark


class TargetError(BundleError):
    """A target that no threshold meets.

    Args:
        message: one sentence for the user.
        possible: the nearest value of the target that can be met, as text.
    """

    def __init__(self, message: str, possible: str) -> None:
        super().__init__(message)
        self.possible = possible


def one_line(error: Exception) -> str:
    """Return the message of an error of another library, on one line and without its end if that is far."""
    text = " ".join(str(error).split()).rstrip(".")
    return text if len(text) <= 300 else f"{text[:300]} ..."
