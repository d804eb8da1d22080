"""``python -m duonas.runtime check`` and ``bench``: what a device can find out about a kit or a bundle by itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .command_line import Parser
from .errors import BundleError

OUT = Path("bench.json")


def parser() -> Parser:
    """Return the parser of the command line."""
    program = Parser(prog="python -m duonas.runtime", description="What a device can find out about a bundle.")
    commands = program.add_subparsers(dest="command", required=True, parser_class=Parser)
    about = (
        "Compare the files of a kit with their checksums, and test its bundle on the stored images; or a bundle alone."
    )
    check = commands.add_parser("check", help=about, description=about)
    check.add_argument("folder", type=Path, metavar="FOLDER", help="an unpacked kit, or the folder of a bundle")
    check.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as Bundle.load (default: 0)")
    about = (
        "Test a bundle on its stored images, say whether routing is faster than big on this device, and run it under "
        "sustained load; Ctrl-C keeps what is measured."
    )
    bench = commands.add_parser("bench", help=about, description=about)
    bench.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of dynamic.onnx and policy.json")
    bench.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    bench.add_argument("--fps", type=float, help="frames a second of a camera (default: as fast as possible)")
    bench.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as Bundle.load (default: 0)")
    bench.add_argument("--engine", default="onnxruntime", help="what runs it: a name that `duonas targets` lists")
    bench.add_argument("--spinning", action="store_true", help="keep cores busy while threads wait in a call")
    bench.add_argument("--window", type=float, metavar="S", help="seconds that are summed up (default: 1 to 30)")
    bench.add_argument("--watts", metavar="W", help="power that the device draws, such as 5W, if it has no meter")
    bench.add_argument("--out", type=Path, default=OUT, metavar="FILE", help=f"the result (default: {OUT})")
    return program


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit code."""
    try:
        given = parser().parse_args(arguments)
        {"check": _check, "bench": _bench}[given.command](given)
    except BundleError as error:
        print(f"duonas: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the load
        print("duonas: stopped; nothing was measured.", file=sys.stderr)
        return 130
    return 0


def _check(given: argparse.Namespace) -> None:
    from .check import check

    for sentence in check(given.folder, given.threads):
        print(sentence)


def _bench(given: argparse.Namespace) -> None:
    from .arguments import figure  # these load ONNX Runtime, which --help does not need
    from .bench import Load, sustained
    from .comparison import sentence
    from .meters import find_meter
    from .units import WATTS

    load = Load(given.minutes, given.fps, given.threads, given.spinning, given.window, given.engine)
    meter, hint = find_meter(None if given.watts is None else figure(given.watts, WATTS, "--watts"))
    if hint:
        print(f"The energy meter is not used: {hint}")
    found = sustained(given.bundle, load, given.out, meter)
    print("", sentence(found["times"]), summary_line(found), f"result: {given.out}", sep="\n")


def summary_line(found: dict[str, Any]) -> str:
    """Sum a result up in words."""
    total = found["summary"]
    if not total:
        return "Stopped before the first image."
    said = [
        f"{total['images']:,} images in {total['seconds']:.0f} s, {total['images_per_s']:.4g} a second; one takes "
        f"{total['p50_ms']:.3g} ms (p50), {total['p95_ms']:.3g} (p95), {total['p99_ms']:.3g} (p99), and "
        f"{total['mean_ms']:.3g} on average."
    ]
    if total["drift"] is not None:
        change = total["drift"] - 1
        said.append(f"From the first tenth of the time to the last the median time changed by {change:+.1%}.")
    if total["dropped"]:
        said.append(f"{total['dropped']:,} frames came while another was classified, and were dropped.")
    if total["energy_mj"] is not None:
        said.append(f"An image takes {total['energy_mj']:.3g} mJ by {found['energy']['meter']}.")
    return " ".join(said)


if __name__ == "__main__":
    sys.exit(main())
