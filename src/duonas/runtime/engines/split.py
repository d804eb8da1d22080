"""The split form on ONNX Runtime: static parts and a router on the host, as on engines that know no branch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..engine import Network, Settings
from ..session import CPU, open_session
from ..split import Call, Part, SplitEngine
from .onnxruntime import OnnxRuntime, missing_provider


class Split(SplitEngine):
    """Each part in a session for each bucket, in which all shapes are static."""

    provider: ClassVar[str] = CPU

    @classmethod
    def missing(cls) -> str:
        """Whether this build of ONNX Runtime has the provider."""
        return missing_provider(cls.provider)

    @classmethod
    def version(cls) -> str:
        """The version of ONNX Runtime."""
        return OnnxRuntime.version()

    def options(self) -> Mapping[str, str]:
        """Return the options of the provider."""
        return {}

    def part(self, part: Part, rows: int) -> Call:
        """Open a session whose batch is fixed."""
        session = open_session(
            self.file(part.file), self.settings.threads, spinning=self.settings.spinning, provider=self.provider,
            provider_options=self.options(), rows=rows,
        )  # fmt: skip
        entry = session.get_inputs()[0].name
        return lambda values: session.run(list(part.gives), {entry: values})

    @classmethod
    def network(cls, path: Path, settings: Settings) -> Network:
        """Open a single network, for any number of rows."""
        session = open_session(path, settings.threads, spinning=settings.spinning, provider=cls.provider)
        entry = session.get_inputs()[0].name
        return lambda images: np.asarray(session.run(None, {entry: images})[0])
