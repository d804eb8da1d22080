"""Where a plain network has activations, and what enters them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from duonas.layers.plain import SqueezeExcite

ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.CELU, nn.SELU, nn.Mish,
)  # fmt: skip

See = Callable[[Tensor], None]


@contextmanager
def seeing(network: nn.Sequential, see: See) -> Iterator[None]:
    """In this block, call ``see`` with every pre-activation of a forward pass.

    That is the input of every activation, and what leaves a block that has weights but no activation, unless it is the
    last one.
    """
    hooks = [each for module in network.modules() for each in _hooks(module, see)]
    blocks = list(network.children())[:-1]
    hooks += [block.register_forward_hook(_of_output(see)) for block in blocks if _is_without(block)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def without_activations(module: nn.Module) -> nn.Module:
    """A network whose activations and norms are replaced by the identity; the network itself is changed."""
    for name, child in module.named_children():
        if isinstance(child, (*ACTIVATIONS, nn.BatchNorm2d)):
            setattr(module, name, nn.Identity())
        else:
            without_activations(child)
    return module


def _hooks(module: nn.Module, see: See) -> Iterator[nn.modules.module.RemovableHandle]:
    if isinstance(module, ACTIVATIONS):
        yield module.register_forward_pre_hook(lambda _, inputs: see(inputs[0]))
    elif isinstance(module, SqueezeExcite):  # whose ReLU is a function
        yield module.squeeze.register_forward_hook(_of_output(see))


def _of_output(see: See) -> Callable[[nn.Module, object, Tensor], None]:
    return lambda _, __, output: see(output)


def _is_without(block: nn.Module) -> bool:
    """Whether a block has weights and no activation."""
    has_weights = next(block.parameters(), None) is not None
    return has_weights and not any(isinstance(module, ACTIVATIONS) for module in block.modules())
