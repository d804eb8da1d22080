"""The learned router: its signals, its refinements, and a gate that cannot collapse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from duonas.core.rng import stream
from duonas.routing.metrics import area_above_chance
from duonas.routing.router import Answers
from duonas.routing.routers.learned import (
    Learned,
    LearnedOptions,
    Lesson,
    Network,
    gumbel,
    prepare,
    straight_through,
    train,
)

REFINEMENTS = ["straight-through", "gumbel", "reinforce"]


def case(n=1200, seed=0):
    """Eight features of which the first says how hard an image is; little and big get worse with it, big later."""
    rng = stream(seed, "learned")
    hard, labels = rng.random(n), rng.integers(0, 5, n)
    sides = np.eye(5)[labels]
    little = sides * (8 * (1 - hard))[:, None] + rng.normal(size=(n, 5))
    big = sides * (8 * (1 - 0.6 * hard))[:, None] + rng.normal(size=(n, 5))
    described = rng.normal(size=(n, 8))
    described[:, 0] = 40 + 3 * hard  # not standardised
    described[:, 1] = 7.0  # says nothing
    answers = Answers(little.astype(np.float32), big.astype(np.float32), labels)
    return torch.from_numpy(described.astype(np.float32)), answers


def fitted(options, seed=0):
    described, answers = case()
    return Learned(options).fit(described[:600], answers.take(np.arange(600)), stream(seed, "fit"))


def gate_share(network, described):
    return float((network.gate(described) >= 0).float().mean())


@pytest.mark.parametrize(
    "options",
    [
        *[LearnedOptions(signal=signal) for signal in ("oracle", "entropy", "loss")],
        LearnedOptions(balance=False),
        *[LearnedOptions(refine=refine) for refine in REFINEMENTS],
    ],
    ids=lambda options: f"{options.signal}-{options.refine}-{options.balance}",
)
def test_it_learns_on_other_images_what_is_hard(options):
    described, answers = case()
    router = fitted(options)
    held = answers.take(np.arange(600, 1200))
    assert area_above_chance(router.judge(described[600:]).numpy(), held) > 0.03
    assert router.macs == 8 * 32 + 32
    hard = ~answers.little_right & answers.big_right
    assert router.report["hard_share"] == pytest.approx(hard[:600].mean())
    assert router.report["held_out_gain"] > 0.03


def test_it_goes_on_from_a_gate_that_was_trained_with_the_pair():
    described, answers = case()
    held = answers.take(np.arange(600))
    gate = train(prepare(described, answers, LearnedOptions()), LearnedOptions(), stream(4, "gate"))
    gained = {}
    for joint in ("start", "keep", "ignore"):
        start = Learned(LearnedOptions(joint=joint, steps=1), position="after_little").starting_at(gate._asdict())
        router = start.fit(described[:600], held, stream(0, "fit"))
        gained[joint] = router.report["held_out_gain"]
        assert ("joint" in router.report) == (joint != "ignore")
        assert router.network is start.network or joint != "keep"
    assert gained["keep"] == pytest.approx(gained["start"], rel=0.1) and gained["start"] > gained["ignore"]
    assert Learned().starting_at(gate._asdict()) == Learned()  # at the stem there is something else to see


def test_a_gate_that_holds_on_no_other_images_is_not_believed():
    described, answers = case()
    gate = Network.fresh(described, 4, torch.Generator().manual_seed(1))
    worse = gate._replace(out=torch.zeros_like(gate.out))
    router = Learned(LearnedOptions(joint="keep"), worse, position="after_little").fit(described, answers, stream(0))
    assert router.network is None and router.macs == 0


@pytest.mark.parametrize("warm_start", [True, False])
@pytest.mark.parametrize("refine", REFINEMENTS)
def test_the_share_is_held(refine, warm_start):
    described, answers = case(600)
    for share in (0.3, 0.9):
        options = LearnedOptions(refine=refine, share=share, warm_start=warm_start)
        network = train(prepare(described, answers, options), options, stream(0, "train"))
        assert gate_share(network, described) == pytest.approx(share, abs=0.1)


@pytest.mark.parametrize("refine", REFINEMENTS)
def test_a_gate_that_is_not_held_goes_to_the_better_network(refine):
    rng = stream(0, "collapse")
    regret = torch.full((200,), 0.5)  # big is better throughout
    lesson = Lesson(torch.from_numpy(rng.normal(size=(200, 4)).astype(np.float32)), regret, regret, regret, 0.6)
    shares = []
    for hold in (True, False):
        options = LearnedOptions(refine=refine, warm_start=False, hold_share=hold, steps=200)
        shares.append(gate_share(train(lesson, options, stream(1, "collapse")), lesson.described))
    assert 0.3 < shares[0] < 1 and shares[1] == 0


def test_hard_is_only_where_little_is_wrong_and_big_is_right(answered):
    answers = answered(np.array([1, 1, 0, 0] * 2, bool), np.array([1, 0, 1, 0] * 2, bool))
    lesson = prepare(torch.zeros(8, 1), answers, LearnedOptions())
    assert lesson.target.tolist() == [1, 1, 0, 1] * 2 and lesson.share == 0.75
    assert lesson.weight[lesson.target == 0].sum() == pytest.approx(float(lesson.weight[lesson.target == 1].sum()))
    soft = prepare(torch.zeros(8, 1), answers, LearnedOptions(signal="loss")).target
    assert soft[0] == soft[3] == 0.5 and soft[1] > 0.5 > soft[2]


def test_nothing_to_learn_from_is_chance(answered):
    rng = stream(0, "nothing")
    described = torch.from_numpy(rng.random((40, 3)).astype(np.float32))
    never = answered(rng.random(40) < 0.5, np.zeros(40, bool))  # big is never right
    for answers in (never, never.take(np.arange(3))):
        router = Learned().fit(described[: len(answers)], answers, rng)
        assert router.network is None and router.macs == 0 and router.report["hard_share"] == 0
        assert router.judge(described).unique().numel() > 30


def test_a_gate_decision_has_the_gradient_of_its_loss():
    logit = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    regret = torch.tensor([1.0, -2.0, 3.0])
    loss, share = straight_through(logit, regret, torch.Generator())
    loss.backward()
    slope = torch.sigmoid(logit.detach()) * torch.sigmoid(-logit.detach()) * regret / 3
    assert share.item() == pytest.approx(2 / 3) and loss.item() == pytest.approx(1 / 3)
    torch.testing.assert_close(logit.grad, slope)


def test_noise_is_in_training_alone():
    logit, regret = torch.zeros(1000), torch.ones(1000)
    first, second = (gumbel(logit, regret, torch.Generator().manual_seed(seed))[0] for seed in (1, 2))
    assert first != second and float(first) == pytest.approx(0.5, abs=0.05)
    router, described = fitted(LearnedOptions(refine="gumbel", steps=20)), case()[0]
    assert torch.equal(router.judge(described), router.judge(described))


def test_images_observed_in_inference_mode_can_be_learned_from():
    with torch.inference_mode():
        described, answers = case(300)
        assert Learned(LearnedOptions(steps=5)).fit(described, answers, stream(0)).report["images"] == 300


def test_a_broken_little_scores_nan():
    broken = torch.full((1, 5), float("nan"))
    network = Network.fresh(Learned(position="after_little").describe(torch.randn(9, 5, generator=torch.Generator())),
                            4, torch.Generator())  # fmt: skip
    assert Learned(network=network, position="after_little").score(broken).isnan().all()
