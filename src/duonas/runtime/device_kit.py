"""The files of a device kit: the manifest that goes to a device, and the device table that comes back.

A kit is a folder with ``manifest.json``, ``blocks/*.onnx``, ``networks/*.onnx``, ``pairs/*.onnx`` and the program
``measure.pyz``, which needs numpy and ONNX Runtime alone (``duonas.runtime.measure_kit``).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .errors import BundleError
from .files import write_whole

VERSION = 1
MANIFEST = "manifest.json"
PROGRAM = "measure.pyz"
REFERENCE = "reference.onnx"  # a fixed network, by whose time a busy machine is noticed
EMPTY = "empty.onnx"  # a network that does nothing, whose session takes memory, too
MARK = "# "  # starts a line of metadata above the header of a CSV file
Use = Literal["fit", "check"]


@dataclass(frozen=True)
class Settings:
    """How a device is measured.

    Args:
        minutes: the most that it may take.
        threads: CPU threads of ONNX Runtime; 0: its default, one for each core.
        spinning: whether threads that wait for work keep their cores busy.
        provider: execution provider of ONNX Runtime.
        precision: of weights and activations: ``fp32`` or ``fp16``. The files of a kit have it.
    """

    minutes: float = 5.0
    threads: int = 1
    spinning: bool = False
    provider: str = "CPUExecutionProvider"
    precision: Literal["fp32", "fp16"] = "fp32"


@dataclass(frozen=True)
class KitBlock:
    """A block: its file in the kit, and its specification as one line of JSON, its key in a device table."""

    file: str
    block: str

    @property
    def kind(self) -> str:
        """The kind of the block, such as ``input``."""
        return str(json.loads(self.block)["kind"])


@dataclass(frozen=True)
class KitNetwork:
    """A whole network: its file, its blocks by their place in the manifest, and what its time is for."""

    file: str
    blocks: tuple[int, ...]
    use: Use


@dataclass(frozen=True)
class KitPair:
    """A routed pair: the name of its router with the position, such as ``margin@after_little``, and its files.

    ``stem`` has the blocks that both networks share; it is ``None`` where they share nothing.
    """

    router: str
    routed: str
    little: str
    big: str
    stem: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The content of ``manifest.json``; blocks are in the order in which they are measured.

    Args:
        duonas: version that wrote the kit.
        space: name of the search space.
        image_size: side of the images in pixels.
        settings: how the device is measured, unless the program is told otherwise.
        blocks: those that the networks consist of come first.
        networks: whole networks, of which some correct the sum of the blocks and the others check it.
        pairs: routed pairs, by which the time of routing itself is measured.
    """

    duonas: str
    space: str
    image_size: int
    settings: Settings
    blocks: tuple[KitBlock, ...]
    networks: tuple[KitNetwork, ...] = ()
    pairs: tuple[KitPair, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The manifest as JSON, to be read by ``from_json``."""
        value = {"version": VERSION, **asdict(self)}
        value["networks"] = [
            {"file": each.file, "blocks": list(each.blocks), "for": each.use} for each in self.networks
        ]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Manifest:
        """Read what ``to_json`` wrote.

        Raises:
            LookupError, TypeError, ValueError: a value is missing, or of another version.
        """
        if value["version"] != VERSION:
            raise ValueError(f"it is of version {value['version']}, expected {VERSION}")
        networks = (KitNetwork(each["file"], tuple(each["blocks"]), each["for"]) for each in value["networks"])
        return cls(
            duonas=value["duonas"],
            space=value["space"],
            image_size=int(value["image_size"]),
            settings=Settings(**value["settings"]),
            blocks=tuple(KitBlock(**each) for each in value["blocks"]),
            networks=tuple(networks),
            pairs=tuple(KitPair(**each) for each in value["pairs"]),
        )

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the manifest of a kit.

        Raises:
            BundleError: it is missing, damaged, or of another version.
        """
        path = folder / MANIFEST
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise BundleError(
                f"{path} cannot be read ({error.strerror}): {PROGRAM} stays in the folder that was made with it."
            ) from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(f"{path} is not the manifest of a device kit, or is damaged: {error}.") from error


@dataclass(frozen=True)
class Row:
    """What a block takes: median latency in ms, energy in mJ if there is a meter, and whether it was measured.

    A block of a measured network that there was no time for has a row without figures, which are to be fitted.
    """

    latency_ms: float | None
    energy_mj: float | None = None
    origin: Literal["measured", "fitted"] = "measured"


@dataclass(frozen=True)
class NetworkTime:
    """What a whole network takes.

    Args:
        blocks: its blocks as rows of the table.
        use: ``fit`` for the correction of sums of blocks, ``check`` for their error.
        latency_ms: median latency of one image.
        peak_memory_bytes: of the process, more than that of one without a network; ``None`` if not measured.
        energy_mj: of one image; ``None`` without a meter.
    """

    blocks: tuple[int, ...]
    use: Use
    latency_ms: float
    peak_memory_bytes: int | None = None
    energy_mj: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON; those that are unknown are left out."""
        optional = {"peak_memory_bytes": self.peak_memory_bytes, "energy_mj": self.energy_mj}
        known = {name: value for name, value in optional.items() if value is not None}
        return {"blocks": list(self.blocks), "for": self.use, "latency_ms": self.latency_ms, **known}


@dataclass(frozen=True)
class RouterTime:
    """What routing adds to every image, and further to one that big is asked for: in ms, in mJ where known."""

    keep_ms: float
    ask_ms: float
    keep_mj: float | None = None
    ask_mj: float | None = None

    def drawing(self, watts: float | None) -> RouterTime:
        """The same with the energy that a mean power in W means; without one as it is."""
        return self if watts is None else replace(self, keep_mj=watts * self.keep_ms, ask_mj=watts * self.ask_ms)

    def to_json(self) -> dict[str, float]:
        """The known figures by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Reference:
    """How busy the machine was.

    Args:
        least_ms: the least time of the reference network.
        median_ms: its median.
        busy: share of the checks in which it took more than 1.3 times the least.
    """

    least_ms: float
    median_ms: float
    busy: float


@dataclass(frozen=True)
class RawTable:
    """A device table as it comes from a device: what it measured, neither completed nor calibrated.

    Args:
        rows: by the specification of a block as one line of JSON.
        about: ``device``, ``system``, ``cores``, ``runtime``, ``threads``, ``spinning``, ``provider``, ``clock``
            (``processor`` or ``wall`` time), ``precision``, ``date``, ``space``, ``minutes``.
        networks: whole networks.
        routers: by name and position of a router, such as ``margin@after_little``.
        reference: how busy the machine was; ``None`` if not known.
        energy: ``{"meter": name}``, or ``{"meter": "watts", "watts": W}``; empty without energies.
    """

    rows: Mapping[str, Row]
    about: Mapping[str, str]
    networks: tuple[NetworkTime, ...] = ()
    routers: Mapping[str, RouterTime] = field(default_factory=dict)
    reference: Reference | None = None
    energy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, str]:
        """All that is known beside the rows, as texts; structured values are JSON."""
        structured: dict[str, Any] = {
            "networks": [each.to_json() for each in self.networks],
            "routers": {name: each.to_json() for name, each in self.routers.items()},
            "reference": self.reference and asdict(self.reference),
            "energy": dict(self.energy),
        }
        written = {name: json.dumps(value, separators=(",", ":")) for name, value in structured.items() if value}
        return {**self.about, **written}

    def save(self, path: Path) -> Path:
        """Write the table as CSV, whole or not at all.

        Raises:
            BundleError: the file cannot be written.
        """
        text = io.StringIO(newline="")
        text.writelines(f"{MARK}{key} = {value}\n" for key, value in self.metadata.items())
        csv.writer(text, lineterminator="\n").writerows(self._lines())
        return write_whole(path, text.getvalue())

    def _lines(self) -> list[Sequence[Any]]:
        has_energy = any(row.energy_mj is not None for row in self.rows.values())
        columns = ["block", "latency_ms", *(["energy_mj"] if has_energy else []), "origin"]
        lines: list[Sequence[Any]] = [columns]
        for block, row in self.rows.items():
            values = {"block": block, **asdict(row)}
            lines.append(["" if values[name] is None else values[name] for name in columns])
        return lines
