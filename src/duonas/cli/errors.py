"""End commands with one line on stderr instead of a traceback, for user errors, a full disk and Ctrl-C."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from duonas.core.errors import DuonasError
from duonas.core.plugin import blamed
from duonas.runtime.errors import BundleError

GOES_ON = "stopped; repeat the command to resume"  # what a command that may be repeated says after Ctrl-C
STOPPED = 130  # exit code after Ctrl-C
WRONG = 2


@contextmanager
def one_line_errors(stopped: str = "stopped") -> Iterator[None]:
    """End the program with one line if the block fails for a reason other than a bug of duonas.

    Args:
        stopped: message after Ctrl-C or SIGTERM.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # torchrun and batch systems send SIGTERM
    try:
        yield
    except (DuonasError, BundleError) as error:
        _end(str(error), WRONG)
    except KeyboardInterrupt:
        _end(stopped, STOPPED)
    except OSError as error:
        _end(blamed(error) or _sentence(error), WRONG)
    except (Exception, SystemExit) as error:
        where = blamed(error)
        if where is None:
            raise
        _end(where, WRONG)
    finally:
        signal.signal(signal.SIGTERM, before)


def _sentence(error: OSError) -> str:
    """Return the message of a system error; raise a broken pipe again for typer, and bugs, which name no file."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {error}; free some space, then repeat the command to resume."
    if error.filename is None or error.errno == errno.EPIPE:
        raise error
    name = str(error.filename)
    return f"cannot use {name if len(name) < 200 else name[:100] + '...'}: {error.strerror}."


def _end(message: str, code: int) -> NoReturn:
    from duonas.cli.console import complain

    complain(message, "red" if code == WRONG else "")
    raise typer.Exit(code)
