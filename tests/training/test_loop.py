"""The loop stops in time, keeps what is good, and says what is wrong."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from duonas.core.couplings import NestedPairs
from duonas.core.errors import DuonasError
from duonas.core.pair import Subnet
from duonas.core.rng import stream
from duonas.core.tensors import load_tensors
from duonas.data.balance import balanced_weights
from duonas.layers.norm import recalibrate
from duonas.recipe.schema import options_for
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet
from duonas.training.loop import Training, train
from duonas.training.rules.sandwich import Sandwich
from support.interrupts import press_ctrl_c

OPTIONS = options_for("train", epochs=2, lr=0.05, warmup_epochs=0, checkpoint_seconds=1e-9, accelerator="cpu")


def supernet(**axes):
    table = MobileNet.Options(preset="digits", axes=axes or {"depth": [1], "width": [0.5, 1.0]})
    net = MobileNet.supernet(MobileNet.space(table, 8, 2), (0.5,) * 3, (0.2,) * 3, stream(0, "init"), table)
    return PairSupernet(NestedPairs(net.space), net)


class Halves:
    """Images whose bright half tells the class; from ``poison`` on they are not numbers."""

    def __init__(self, poison=10**9):
        self.poison = poison

    def __len__(self):
        return 20

    def batch(self, step):
        rng = stream(1, step)
        targets = rng.integers(0, 2, 32)
        images = rng.random((32, 3, 8, 8)) * 0.3
        images[targets == 1, :, :, 4:] += 0.6
        images[targets == 0, :, :, :4] += 0.6
        images = torch.from_numpy(images).float()
        return (images * float("nan") if step >= self.poison else images), torch.from_numpy(targets)


def run(folder, batches=None, options=OPTIONS, **kwargs):
    net = supernet()
    path = train(net, batches or Halves(), Sandwich(net.pairs, options), options, Training(folder, **kwargs))
    return net, path


def test_it_learns_and_tells_how_it_goes(tmp_path):
    lines, bars = [], []
    options = replace(OPTIONS, checkpoint_seconds=60)
    net, path = run(
        tmp_path, options=options, log=lambda **f: lines.append(f), progress=lambda d, t, **f: bars.append((d, t, f))
    )
    assert lines[-1]["step"] == 40 and lines[-1]["epoch"] == 2.0 and bars[-1][:2] == (40, 40)
    assert lines[-1]["largest"] < lines[0]["largest"]
    images, targets = Halves().batch(999)
    for arch in (net.pairs.space.smallest(), net.pairs.space.largest()):
        plain = recalibrate(net.extract(Subnet(arch)), [Halves().batch(100)[0]])
        assert (plain(images).argmax(1) == targets).float().mean() > 0.9
    assert bars[0] == (0, 40, {})
    assert bars[-1][2] == {"batch_loss_largest": lines[-1]["largest"], "smallest": lines[-1]["smallest"]}
    again = []
    run(tmp_path, options=options, progress=lambda d, t, **f: again.append((d, t)))
    assert again == [(40, 40)]
    saved = load_file(path)
    assert all(torch.equal(value, saved[name]) for name, value in net.state_dict().items())


def test_a_lone_process_trains_the_same_whatever_several_would_share(tmp_path):
    options = replace(OPTIONS, epochs=1, processes="subnets")
    paths = [
        run(tmp_path / each.processes, options=each)[1] for each in (options, replace(options, processes="images"))
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    with pytest.raises(DuonasError, match=r"the loss is nan at step 11: lower lr or set \[train\] clip; the last good"):
        run(tmp_path, Halves(poison=10))
    tensors, header = load_tensors(tmp_path / "checkpoint" / "state.safetensors")
    assert header["step"] == 10 and all(torch.isfinite(t).all() for t in tensors.values())
    assert not (tmp_path / "supernet.safetensors").exists()


def test_a_truncated_checkpoint_is_named(tmp_path):
    run(tmp_path)
    path = tmp_path / "checkpoint" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DuonasError, match=r"state\.safetensors is damaged"):
        run(tmp_path)


def test_a_checkpoint_of_another_supernet_is_refused(tmp_path):
    run(tmp_path)
    other = supernet(depth=[2])
    with pytest.raises(DuonasError, match="belongs to another network"):
        train(other, Halves(), Sandwich(other.pairs, OPTIONS), OPTIONS, Training(tmp_path))


def test_gradient_clipping_bounds_the_update(tmp_path):
    options = replace(OPTIONS, epochs=1, clip=1e-9, weight_decay=0.0, ema=0.0, momentum=0.0)
    net, _ = run(tmp_path, options=options)
    fresh = dict(supernet().named_parameters())
    assert all((p - fresh[n]).abs().max() < 1e-6 for n, p in net.named_parameters())


def test_a_full_disk_is_one_sentence_and_keeps_the_checkpoint(tmp_path, monkeypatch):
    """What the system says when no byte more can be written, whatever library was writing."""
    run(tmp_path, options=replace(OPTIONS, epochs=1))
    before = (tmp_path / "checkpoint" / "state.safetensors").read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(DuonasError, match="No space left on device; nothing was changed there"):
        run(tmp_path)
    assert (tmp_path / "checkpoint" / "state.safetensors").read_bytes() == before


class Interrupted(Halves):
    """Ctrl-C comes in the middle of a step."""

    def batch(self, step):
        if step == 7:
            press_ctrl_c()
        return super().batch(step)


def test_ctrl_c_saves_the_step_in_hand_and_resuming_gives_the_same_bits(tmp_path, interruptible):
    options = replace(OPTIONS, checkpoint_seconds=3600)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", Interrupted(), options)
    assert load_tensors(tmp_path / "stopped" / "checkpoint" / "state.safetensors")[1]["step"] == 8
    resumed, _ = run(tmp_path / "stopped", options=options)
    whole, _ = run(tmp_path / "whole", options=options)
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


class Exploding(Sandwich):
    """The loss of a step is finite, but the gradient is not."""

    def __init__(self, pairs, options, at):
        super().__init__(pairs, options)
        self.at, self.done = at, 0

    def step(self, forward, given):
        losses = super().step(forward, given)
        self.done += 1
        if self.done == self.at:
            given.backward(forward(given.images, Subnet(self.pairs.space.smallest())).sum() * float("inf"))
        return losses


@pytest.mark.parametrize("at", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_weights_that_are_not_finite_are_never_kept(at, tmp_path):
    net = supernet()
    with pytest.raises(DuonasError, match=rf"weights are not finite any more at step {at}: lower .* the last good"):
        train(net, Halves(), Exploding(net.pairs, OPTIONS, at), OPTIONS, Training(tmp_path))
    tensors, header = load_tensors(tmp_path / "checkpoint" / "state.safetensors")
    assert header["step"] == at - 1 and all(torch.isfinite(t).all() for t in tensors.values())
    assert not (tmp_path / "supernet.safetensors").exists()


class Rare:
    """Images whose bright half tells the class but for noise; one of 16 is of class 1."""

    def __len__(self):
        return 20

    def batch(self, step):
        rng = stream(2, step)
        targets = (np.arange(32) % 16 == 0).astype(np.int64)
        images = rng.random((32, 3, 8, 8))
        images[targets == 1, :, :, 4:] += 0.15
        images[targets == 0, :, :, :4] += 0.15
        return torch.from_numpy(images / 1.15).float(), torch.from_numpy(targets)


def recall_of_the_rare(folder, weights, killed=False):
    net, options = supernet(), replace(OPTIONS, ema=0.0)
    batches = Killed(Rare(), 7) if killed else Rare()
    with suppress(KeyboardInterrupt):
        train(net, batches, Sandwich(net.pairs, options), options, Training(folder, class_weights=weights))
    if killed:
        return recall_of_the_rare(folder, weights)
    images, targets = (torch.cat(part) for part in zip(*(Rare().batch(step) for step in range(100, 110)), strict=True))
    network = recalibrate(net.extract(Subnet(net.pairs.space.largest())), [images])
    return (network(images).argmax(1)[targets == 1] == 1).float().mean().item(), net.state_dict()


class Killed:
    """Batches that a Ctrl-C ends at one step."""

    def __init__(self, batches, step):
        self.batches, self.killed_at = batches, step

    def __len__(self):
        return len(self.batches)

    def batch(self, step):
        if step == self.killed_at:
            raise KeyboardInterrupt
        return self.batches.batch(step)


def test_class_weights_find_the_rare_class_and_resume_to_the_bit(tmp_path):
    weights = balanced_weights(Rare().batch(0)[1], 2)
    without, _ = recall_of_the_rare(tmp_path / "without", None)
    found, whole = recall_of_the_rare(tmp_path / "whole", weights)
    assert found > without + 0.2
    _, resumed = recall_of_the_rare(tmp_path / "killed", weights, killed=True)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


class Odd(Sandwich):
    """A rule that returns something of its own."""

    def __init__(self, answer, pairs, backward=True):
        super().__init__(pairs, OPTIONS)
        self.answer, self.backward = answer, backward

    def step(self, network, given):
        if self.backward:
            super().step(network, given)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "backward", "message"),
    [
        (None, True, r"step\(\) must return a dictionary of losses by name"),
        ({}, True, "'loss' among them"),
        ({"loss": 0.5}, True, "every loss as a tensor of one number, not 'loss'"),
        ({"loss": torch.tensor(0.5), "other": torch.zeros(3)}, True, "not 'other'"),
        ({"loss": torch.tensor(0.5)}, False, "made no gradients"),
    ],
)
def test_what_a_rule_of_ones_own_must_do_is_said(tmp_path, answer, backward, message):
    net = supernet()
    with pytest.raises(DuonasError, match=message):
        train(net, Halves(), Odd(answer, net.pairs, backward), OPTIONS, Training(tmp_path))


def test_busy_cores_are_said_once_and_the_training_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("duonas.training.contention.RUNNING", 2.0)  # nobody runs for so long
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    said = []
    run(tmp_path, warn=said.append)
    (sentence,) = said
    assert "--set threads=1" in sentence and (tmp_path / "supernet.safetensors").exists()
