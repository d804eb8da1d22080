"""Fine-tune a network of timm on a folder of images, in plain PyTorch: what a user has before duonas.

    python finetune.py tf_efficientnet_lite0 WEIGHTS.pth DATA/clothing lite0-96.safetensors --size 96 --epochs 6

WEIGHTS are those of ImageNet, in the order of timm's own. SGD with a one-cycle schedule, random resized crops, flips.
The accuracy on ``validation`` is printed after every epoch; ``test`` is not opened.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import v2

from duonas.training.memory import keep_freed_memory

MEAN = STD = (0.5, 0.5, 0.5)  # as these networks were trained


def images(folder: Path, size: int, training: bool) -> datasets.ImageFolder:
    steps = (
        [v2.RandomResizedCrop(size, scale=(0.35, 1)), v2.RandomHorizontalFlip()]
        if training
        else [v2.Resize(size), v2.CenterCrop(size)]
    )
    return datasets.ImageFolder(
        folder, v2.Compose([*steps, v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    )


def accuracy(network: nn.Module, data: datasets.ImageFolder) -> float:
    network.eval()
    right = 0
    with torch.inference_mode():
        for pixels, labels in DataLoader(data, 64):
            answers = network(pixels.contiguous(memory_format=torch.channels_last)).argmax(1)
            right += int((answers == labels).sum())
    return right / len(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    keep_freed_memory()
    train = images(given.folder / "train", given.size, training=True)
    val = images(given.folder / "validation", given.size, training=False)
    network = timm.create_model(given.network)
    stored = torch.load(given.weights, weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), stored.values(), strict=True)))
    network.reset_classifier(len(train.classes))
    network = network.to(memory_format=torch.channels_last)
    batches = DataLoader(train, 32, shuffle=True, drop_last=True)
    optimiser = torch.optim.SGD(network.parameters(), given.lr, 0.9, weight_decay=1e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, given.lr, total_steps=given.epochs * len(batches), pct_start=0.2
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    began = time.process_time()
    for epoch in range(given.epochs):
        network.train()
        for pixels, labels in batches:
            loss = loss_of(network(pixels.contiguous(memory_format=torch.channels_last)), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        found, minutes = accuracy(network, val), (time.process_time() - began) / 60
        print(f"epoch {epoch + 1}: {100 * found:.1f} % of validation, {minutes:.1f} CPU minutes", flush=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, given.out)


if __name__ == "__main__":
    main()
