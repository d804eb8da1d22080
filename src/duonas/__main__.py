"""The command ``duonas``, ``python -m duonas`` and ``torchrun -m duonas``, also where only the runtime is installed."""

from __future__ import annotations

import sys

from duonas import __version__
from duonas.core.extras import INSTALL_FULL, explain

RUNTIME_HELP = f"""\
Usage: duonas [--help] [--version]

Only the runtime of duonas is installed here. It classifies images with an exported bundle, from Python:

    from duonas import Bundle

    bundle = Bundle.load("export")
    print(bundle.predict(images).labels)  # images: uint8 or float32 (N, 3, H, W)

How it bears minutes of load, after a self-test:

    python -m duonas.runtime bench export --minutes 10

All commands, such as `duonas run`, need the full tool: {INSTALL_FULL}
"""


def main() -> None:
    """Run the command line; without the packages of the full tool, only help and version."""
    try:
        from duonas.cli.app import main as command_line

        command_line()
    except ModuleNotFoundError as error:
        sentence = explain(f"`{' '.join(['duonas', *sys.argv[1:2]])}`", error)
        if sentence is None:
            raise
        sys.exit(_answer(sys.argv[1:], sentence))


def _answer(arguments: list[str], sentence: str) -> int:
    """Answer a command without the full tool, and return the exit code."""
    if arguments == ["--version"]:
        print(f"duonas {__version__}")
    elif not arguments or arguments[0] in ("-h", "--help"):
        print(RUNTIME_HELP, end="")
    else:
        print(f"duonas: {sentence}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    main()
