"""Write a kit: a zip that carries a bundle to a device. The kit that measures a device is ``device_kit``'s."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from duonas import __version__
from duonas.core.errors import DuonasError
from duonas.core.files import checksum, write_atomic
from duonas.deploy.wheel import build_wheel, requirements
from duonas.runtime.bundle import Bundle
from duonas.runtime.files import GOLDEN, MOST_MODEL, POLICY, check_file
from duonas.runtime.golden import load_golden, self_test
from duonas.runtime.kit import BUNDLE, KIND, MANIFEST, NAME, VERSION, WHEELS
from duonas.runtime.policy import DevicePolicy, load_policy

TOP = "kit"  # the folder that the zip unpacks to
PROGRAMS = ("check.py", "bench.py", "camera.py")
NEEDED = ("numpy", "onnxruntime")
WHEEL = re.compile(r"([A-Za-z0-9_.]+)-[A-Za-z0-9_.+!-]+\.whl")
OLDEST = (1980, 1, 1, 0, 0, 0)  # the time of every file in the zip, so that a run always gives the same bytes
VENV = "python3 -m venv env"
PINNED = """\
`requirements.txt` names the versions that this bundle was tested with where the kit was written. pip checks the
checksum of duonas's wheel, which is in `runtime.txt`; numpy and ONNX Runtime come from the package index and are not
hashed here, since each kind of device has other files of them. Where these versions are not to be had, others do, too
({least}); the check says whether they compute the same.\
"""
BROUGHT = """\
All wheels are here, so that no network is needed, and pip checks the checksum of each. They are for one kind of device:
elsewhere `env/bin/pip install numpy onnxruntime` does instead of `requirements.txt` ({least}); the check says whether
they compute the same.\
"""


@dataclass(frozen=True)
class WrittenKit:
    """What was written: the zip, its SHA-256, the number of files in it, and what the self-test said (or nothing)."""

    path: Path
    sha256: str
    files: int
    tested: str


def write_kit(bundle: Path, out: Path, wheels: Path | None = None) -> WrittenKit:
    """Write the kit of a bundle, whole or not at all; the same bundle gives the same bytes.

    The bundle is tested on its stored images first.

    Args:
        bundle: an export folder.
        out: the zip, which is replaced.
        wheels: a folder of wheels for the device, numpy's and ONNX Runtime's among them, that the kit brings along.

    Raises:
        BundleError: the bundle is damaged or does not pass its test.
        DuonasError: the wheels are not what is needed, or the kit cannot be written.
    """
    device, policy, tested = _tested(bundle)
    brought = _brought(wheels)
    with tempfile.TemporaryDirectory(prefix="duonas-kit-") as temporary:
        runtime = build_wheel(Path(temporary))
        readme = _readme(policy, device.image_shape[1], runtime.name, brought=bool(brought), tested=bool(tested))
        content: dict[str, bytes | Path] = {
            **_bundled(bundle, policy),
            **{f"{WHEELS}/{path.name}": path for path in (runtime, *brought)},
            **{name: _carried(name).encode() for name in PROGRAMS},
            "requirements.txt": _requirements(brought).encode(),
            "runtime.txt": _hashed([runtime]).encode(),
            "README.md": readme.encode(),
        }
        content[MANIFEST] = _manifest(content).encode()
        write_atomic(out, lambda path: _zip(path, content))
    return WrittenKit(out, checksum(out), len(content), tested)


def _tested(folder: Path) -> tuple[Bundle, DevicePolicy, str]:
    """A bundle that passes its test, its policy, and the sentence that says so; empty if it has no stored images."""
    bundle, policy = Bundle.load(folder), load_policy(folder / POLICY)
    golden = load_golden(folder, policy.onnx)
    return bundle, policy, self_test(bundle, golden).sentence if golden else ""


def _bundled(folder: Path, policy: DevicePolicy) -> dict[str, Path]:
    """The files of a bundle by their paths in the kit: the policy, and those that it has the checksums of."""
    found = {f"{BUNDLE}/{POLICY}": folder / POLICY}
    for name in policy.onnx:
        if not NAME.fullmatch(name) or name == POLICY:
            raise DuonasError(f"a kit cannot hold a file named {name!r}, as the policy of this bundle names one.")
        found[f"{BUNDLE}/{name}"] = check_file(folder / name, MOST_MODEL, policy.onnx)
    return found


def _brought(folder: Path | None) -> list[Path]:
    """The wheels in a folder, sorted."""
    if folder is None:
        return []
    found = sorted(folder.glob("*.whl"))
    names = [match[1].lower() if (match := WHEEL.fullmatch(path.name)) else "" for path in found]
    how = f"fill it by pip download {' '.join(NEEDED)} --dest {folder} --only-binary=:all: --platform PLATFORM"
    if missing := [name for name in NEEDED if name not in names]:
        raise DuonasError(f"--wheels {folder} has no wheel of {' and '.join(missing)}: {how}.")
    if "duonas" in names or "" in names:
        path = found[names.index("duonas" if "duonas" in names else "")]
        raise DuonasError(f"--wheels: {path.name} cannot be brought along (the kit has its own of duonas).")
    return found


def _hashed(wheels: Iterable[Path]) -> str:
    return "".join(f"./{WHEELS}/{path.name} --hash=sha256:{checksum(path)}\n" for path in wheels)


def _requirements(brought: list[Path]) -> str:
    return _hashed(brought) or "".join(f"{name}=={_version(name)}\n" for name in NEEDED)


def _version(module: str) -> str:
    """The version of a module, by itself: ONNX Runtime may be installed under another name, such as onnxruntime-gpu."""
    found: str = import_module(module).__version__
    return found.partition("+")[0]  # of a version such as 1.32.0+cu12 the index has the part before the plus


def _carried(name: str) -> str:
    return files("duonas.deploy").joinpath("carried", name).read_text(encoding="utf-8")


def _readme(policy: DevicePolicy, side: int, runtime: str, *, brought: bool, tested: bool) -> str:
    row = next((row for row in policy.table if row.tau == policy.tau), policy.table[0])
    pip = "env/bin/pip install"
    own = f"{pip} --no-deps --require-hashes -r runtime.txt"
    offline = f"{pip} --no-index --no-deps --require-hashes -r requirements.txt -r runtime.txt"
    return _carried("README.md").format(
        title="A routed pair of image classifiers",
        classes=policy.num_classes,
        side=side,
        duonas=__version__,
        install="\n".join([VENV, offline] if brought else [VENV, f"{pip} -r requirements.txt", own]),
        pinned=(BROUGHT if brought else PINNED).format(least=", ".join(requirements())),
        tested="classifies the stored images with each network"
        if tested
        else "opens the bundle, which has no stored images",
        named="bundle.class_names[i]" if policy.class_names else "int(i)",
        tau=policy.tau,
        kept=f"{row.little_share:.1%}",
        accuracy=f"{row.accuracy:.1%}",
        stored=f", and the images that it is tested on (`{GOLDEN}`)" if tested else "",
        wheels=f"`{runtime}`, the runtime of duonas" + (", and all that it needs" if brought else ""),
    )


def _manifest(content: Mapping[str, bytes | Path]) -> str:
    sums = {name: _sum(each) for name, each in sorted(content.items())}
    value = {"kind": KIND, "version": VERSION, "duonas": __version__, "files": sums}
    return json.dumps(value, indent=2) + "\n"


def _sum(content: bytes | Path) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else checksum(content)


def _zip(path: Path, content: Mapping[str, bytes | Path]) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, each in sorted(content.items()):
            member = zipfile.ZipInfo(f"{TOP}/{name}", OLDEST)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            if isinstance(each, bytes):
                file.writestr(member, each)
                continue
            member.file_size = each.stat().st_size
            with each.open("rb") as source, file.open(member, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
