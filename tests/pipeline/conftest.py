"""The runs of a file share the graphs of equal networks: that PyTorch gives the same ones is tested in ``deploy``."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def each_network_exported_once(exporter):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("duonas.deploy.export.export_module", exporter)
        yield
