"""A network of a finished run, or of a bundle: its little for a little, its big for a big."""

from __future__ import annotations

from duonas.core.errors import DuonasError
from duonas.core.files import expand
from duonas.deploy.bundle import check_files
from duonas.given.network import GivenNetwork, Read
from duonas.given.onnx_file import read_file
from duonas.pair.options import NetworkOptions
from duonas.runtime.files import FILE_OF, POLICY

RECIPE, EXPORT = "recipe.toml", "export"  # of a run


class Run(GivenNetwork):
    """Reads what a run exported, with its stem and in its precision; size, mean and class names are stored in it."""

    key = "run"

    def read(self, options: NetworkOptions, opset: int) -> Read:
        """Read the file of the network.

        Raises:
            DuonasError: the folder is neither a run nor a bundle, the run is not finished, or a file was changed.
        """
        folder = expand(str(options.run), "[pair.given] run")
        bundle = folder if (folder / POLICY).is_file() else folder / EXPORT
        if not (bundle / POLICY).is_file():
            if (folder / RECIPE).is_file():
                raise DuonasError(f"{folder} has no export yet: finish it first with `duonas export {folder}`.")
            raise DuonasError(
                f"{folder} is neither a run nor a bundle: expected an ONNX file, timm:NAME@WEIGHTS, file.py:NAME or a "
                "finished run."
            )
        check_files(bundle)
        return read_file(bundle / FILE_OF[str(options.role)], options)
