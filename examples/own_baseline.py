"""A baseline of your own: a plain network that is trained and measured beside the pair.

duonas run digits --set baselines.networks='["examples/own_baseline.py:Plain"]' --out runs/own-baseline
"""

from torch import nn

from duonas.baselines.baseline import Baseline


class Plain(Baseline):
    """Two convolutions, each of which halves the map."""

    def build(self, classes, image_size, mean, std):
        """Images (B, 3, H, W) in [0, 1] to logits (B, K); the first norm takes the place of mean and std."""
        return nn.Sequential(
            nn.BatchNorm2d(3, affine=False),
            *self.halved(3, 16),
            *self.halved(16, 32),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, classes),
        )

    @staticmethod
    def halved(ins, outs):
        """A convolution with its norm and activation."""
        return nn.Conv2d(ins, outs, 3, 2, 1, bias=False), nn.BatchNorm2d(outs), nn.ReLU()
