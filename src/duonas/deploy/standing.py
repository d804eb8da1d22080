"""Where each target stands: what this machine has of it, where it was tested, and what a bundle answers there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from duonas.core.errors import DuonasError
from duonas.core.registry import find, names, summary
from duonas.deploy.target import Target
from duonas.runtime import Bundle, BundleError
from duonas.runtime.files import POLICY
from duonas.runtime.golden import Golden, load_golden, self_test
from duonas.runtime.policy import load_policy


@dataclass(frozen=True)
class Standing:
    """Where a target stands.

    Args:
        name: of the target, by which a recipe and ``Bundle.load`` know it.
        about: what it is.
        runs: what it runs by on this machine, with its version; empty if it cannot.
        lacks: what this machine lacks to run it or to export for it; empty if nothing.
        tested: where its contract was run; empty if nowhere.
        untested: why nowhere.
        found: what the self-test of a bundle found, if one was given and it runs here.
    """

    name: str
    about: str
    runs: str
    lacks: str
    tested: str
    untested: str
    found: str = ""


def standings(bundle: Path | None = None) -> Iterator[Standing]:
    """Yield where each target stands.

    Args:
        bundle: an export folder, whose stored images every engine that is here answers.

    Raises:
        DuonasError: the bundle has no stored images.
        BundleError: it cannot be read.
    """
    stored = None if bundle is None else _stored(bundle)
    for name in names("target"):
        target: type[Target] = find("target", name)
        engine, missing = target.engine, target.engine.missing()
        found = _tested(bundle, stored, target) if bundle is not None and stored is not None and not missing else ""
        lacks = [f"to run it: {missing}"] if missing else []
        lacks += [f"to export for it: {reason}"] if (reason := target.cannot_export()) else []
        tested = "" if target.untested else target.tested
        runs = "" if missing else engine.version()
        yield Standing(name, summary("target", name), runs, "; ".join(lacks), tested, target.untested, found)


def _stored(bundle: Path) -> Golden:
    stored = load_golden(bundle, load_policy(bundle / POLICY).onnx)
    if stored is None:
        raise DuonasError(f"{bundle} has no stored images to test engines with: export with [export] stored_images.")
    return stored


def _tested(bundle: Path, stored: Golden, target: type[Target]) -> str:
    try:
        return self_test(Bundle.load(bundle, engine=target.engine), stored).sentence
    except BundleError as error:
        return f"Not passed: {error}"
