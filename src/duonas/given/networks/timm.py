"""A network of timm by its name, with weights from a file or the published ones."""

from __future__ import annotations

from difflib import get_close_matches

from duonas.core.errors import DuonasError, nearest
from duonas.core.files import expand
from duonas.given.exported import exported
from duonas.given.network import GivenNetwork, Read, Wants
from duonas.pair.options import NetworkOptions
from duonas.pretrained.read import read as read_weights
from duonas.pretrained.sources import TIMM, Source, at_hand, find


class Timm(GivenNetwork):
    """Builds a network of timm (Wightman 2019) with as many classes as its weights have; timm says what it wants."""

    key = "timm"

    def read(self, options: NetworkOptions, opset: int) -> Read:
        """Build the network, load its weights and export it.

        Raises:
            DuonasError: timm has no such network, or its weights are not there or are others.
        """
        import timm
        from timm.data import resolve_data_config

        name = str(options.timm)
        known = timm.list_models()
        if name.partition(".")[0] not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            raise DuonasError(f"timm has no network {name!r}: {nearest(name, near or known[:3])}.")
        weights = read_weights(_source(options, name), name)
        network = timm.create_model(name, num_classes=weights.classes)
        state = dict(zip(weights.like.shapes, weights.tensors, strict=True))
        network.load_state_dict(state, strict=False)  # without the counters of batches
        about = resolve_data_config({}, model=network)
        wants = Wants(
            options.size or int(about["input_size"][-1]),
            tuple(about["mean"]),
            tuple(about["std"]),
            (0.0, 1.0),
            "nchw",
            crop=min(1.0, float(about["crop_pct"])),
        )
        return Read(exported(network.eval(), int(wants.size or 0), options.called, opset), wants)


def _source(options: NetworkOptions, name: str) -> Source:
    if options.weights is not None:
        path = expand(options.weights, "[pair.given] weights")
        if not path.is_file():
            raise DuonasError(f"{options.called}: there is no file of weights {path}.")
        return Source(path, str(path))
    if (found := at_hand(name)) is not None:
        return found
    try:
        source = find(TIMM, name)
        assert source is not None
        return source
    except DuonasError as error:
        said = str(error.__cause__ or error).strip().partition("\n")[0].rstrip(".")
        raise DuonasError(
            f"{options.called}: its published weights are not on this machine and could not be downloaded ({said}): "
            f"give a file of weights, timm:{name}@FILE."
        ) from error
