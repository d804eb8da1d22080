from __future__ import annotations

import pytest
import torch

from duonas.training.losses import feature_loss, label_loss, router_loss

LOGITS, OTHER = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(8) % 3
SOFT = OTHER.softmax(1)
FEATURES = LOGITS.reshape(8, 3, 1, 1)
LOSSES = {
    "labels": lambda rows, w: label_loss(LOGITS[rows], CLASSES[rows], 0.1, w),
    "probabilities": lambda rows, w: label_loss(LOGITS[rows], SOFT[rows], 0.1, w),
    "router": lambda rows, w: router_loss(LOGITS[rows, 0], LOGITS[rows], OTHER[rows], CLASSES[rows], w),
    "features": lambda rows, w: feature_loss(FEATURES[rows], FEATURES[rows] * 2, w),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_weights_multiply_the_losses_of_single_images(loss):
    rows, weights = torch.arange(8), torch.linspace(0, 2, 8)
    single = torch.stack([loss(rows[i : i + 1], None) for i in range(8)])
    torch.testing.assert_close(loss(rows, None), single.mean())
    torch.testing.assert_close(loss(rows, weights), (single * weights).mean())


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_processes_that_share_a_batch_average_to_the_loss_of_the_whole(loss):
    rows, weights = torch.arange(8), torch.tensor([9.0, 0.1, 0.1, 0.1, 5.0, 0.1, 0.1, 0.1])
    parts = [loss(rows[rank::2], weights[rank::2]) for rank in range(2)]
    torch.testing.assert_close(torch.stack(parts).mean(), loss(rows, weights))
