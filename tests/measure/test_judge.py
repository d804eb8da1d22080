"""Does routing pay, what to use instead, and why."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.measure.judge import judge
from duonas.measure.row import faster

IMAGES = 1000


def network(accuracy, ms=None, macs=1000, won=None, noise=0.0, **more):
    found = {"accuracy": accuracy, "macs": macs, "expected_macs": macs, **more}
    if won is not None:
        found["against_routed"] = {"only_routed": won[0], "only_this": won[1]}
    if ms is not None:
        found["latency_ms"] = {"p50": ms, "mean": ms}
        found["times_ms"] = {"1": {"mean": ms, "lower": (1 - noise) * ms, "upper": (1 + noise) * ms}}
    return found


def measured(routed, big, little, share=0.7, **more):
    routed["little_share"] = share
    return {"routed": routed, "big": big, "little": little, "test_images": IMAGES, **more}


def test_a_pair_that_is_faster_and_nearly_as_accurate_pays():
    found = judge(measured(network(0.9, 0.12), network(0.903, 0.24, won=(8, 11)), network(0.85, 0.05, won=(60, 10))))
    assert found.pays and found.use == "routed"
    assert found.sentence == (
        "Routing pays: it is 2 times as fast as big (0.120 against 0.240 ms an image) and is 0.3 points less accurate "
        "(within the noise of the test images: 95% interval -1.3 to +0.7)."
    )
    assert found.reason == (
        "Against little alone the pair is 5.0 points more accurate (95% interval +3.3 to +6.8), and takes 2.4 "
        "times as long as little (0.120 against 0.0500 ms an image)."
    )
    assert "your own device" in found.next


def test_a_pair_may_pay_by_its_accuracy_alone():
    big = network(0.9, 0.24, won=(40, 10))
    found = judge(measured(network(0.93, 0.3), big, network(0.85, 0.05)))
    assert found.pays and found.sentence == (
        "Routing pays: it is 3.0 points more accurate than big (95% interval +1.5 to +4.5), and takes 1.25 times as "
        "long as big (0.300 against 0.240 ms an image)."
    )
    big["against_routed"] = {"only_routed": 40, "only_this": 38}  # by luck
    unsure = judge(measured(network(0.93, 0.3), big, network(0.85, 0.05)))
    assert not unsure.pays and unsure.use == "big" and "within the noise of the test images" in unsure.sentence


@pytest.mark.parametrize(
    ("routed", "big", "little", "more", "use", "reason", "step"),
    [
        (0.30, 0.28, 0.05, {"ratio_to_ideal": {"batch_1": 2.0}}, "big", "Routing itself", "larger big"),
        (0.30, 0.28, 0.20, {"ratio_to_ideal": {"batch_1": 1.05}}, "big", "too near big: it takes 71%", "little_macs"),
        (0.30, 0.28, 0.05, {"share": 0.1}, "big", "too few images: only 10.0% stay", "more images"),
        (0.30, 0.28, 0.02, {"share": 0.0}, "big", "Big answers every image", "--share 50%"),
        (0.06, 0.28, 0.05, {"share": 1.0, "right": (0.8, 0.9, 0.8)}, "little", "Little answers every", "--share 80%"),
        (0.10, 0.28, 0.05, {"right": (0.8, 0.79, 0.8)}, "little", "Big is no more accurate", "Train longer"),
        (0.10, 0.28, 0.05, {"right": (0.7, 0.9, 0.8)}, "little", "the wrong images", "another router"),
    ],
)  # fmt: skip
def test_what_to_use_instead_and_why_and_what_next(routed, big, little, more, use, reason, step):
    right = more.pop("right", (0.89, 0.9, 0.8))
    nets = [network(accuracy, ms) for accuracy, ms in zip(right, (routed, big, little), strict=True)]
    found = judge(measured(*nets, **more))
    assert not found.pays and found.use == use
    assert found.sentence.startswith(f"Use {use} alone ({use}.onnx): the routed pair takes ")
    assert reason in found.reason and step in found.next


@pytest.mark.parametrize(
    ("alone", "said"),
    [
        ({"steps": 1234, "epochs": 12.3, "minutes": 14.96}, "trained alone for 15 minutes"),
        ({"steps": 1234, "epochs": 12.3, "minutes": None}, "trained alone for 1,234 steps"),
    ],
)
def test_it_is_said_how_long_a_plain_network_was_trained_alone(alone, said):
    """Whether it wins, or the pair does."""
    nets = network(0.9, 0.12), network(0.9, 0.24), network(0.85, 0.05)
    plain = {"macs": 2_500_000, "alone": alone}
    better, worse = (judge(measured(*nets, plain=network(right, 0.11, **plain))) for right in (0.91, 0.8))
    assert better.use == "plain" and "single.onnx" in better.sentence
    assert better.reason.startswith(f"The plain network is one arch that the search chose, {said}, of 2.5M MACs, and")
    assert worse.pays and worse.reason.count(f"{said}.") == 1 and better.reason.count(said) == 1


def test_a_plain_network_that_is_as_good_is_the_one_to_use():
    nets = network(0.9, 0.12), network(0.91, 0.24), network(0.85, 0.05)
    found = judge(measured(*nets, plain=network(0.9, 0.11, macs=2_500_000)))
    assert found.use == "plain" and found.sentence.startswith("Use the plain network alone (single.onnx): the routed")
    assert "2.5M MACs" in found.reason and "larger big" in found.next
    slower = judge(measured(*nets, plain=network(0.9, 0.2)))
    assert slower.pays and "Against the plain network alone the pair is as accurate" in slower.reason


def test_times_within_their_noise_are_called_equal():
    noisy = network(0.89, 0.2, noise=0.2), network(0.9, 0.24, noise=0.2), network(0.8, 0.05, noise=0.2)
    found = judge(measured(*noisy))
    assert not found.pays and "takes as long as big, within the noise of timing" in found.sentence
    assert "less than the noise" in found.reason and "quiet machine" in found.next
    near = judge(measured(network(0.89, 0.236), network(0.9, 0.24), network(0.8, 0.05)))
    assert near.use == "big" and "as long" in near.sentence


def test_larger_batches_are_told_apart():
    nets = [network(0.89, 0.3), network(0.9, 0.28), network(0.8, 0.05)]
    for each, ms in zip(nets, (0.1, 0.2, 0.02), strict=True):
        each["times_ms"]["64"] = {"mean": ms, "lower": ms, "upper": ms}
    found = judge(measured(*nets))
    assert not found.pays and "At batch 64 routing is 2 times as fast as big (0.100 against 0.200" in found.reason
    assert found.to_json()["rows"][0]["batch"] == {"1": 0.3, "64": 0.1}


def test_without_the_time_of_one_network_all_are_compared_by_macs():
    nets = network(0.89, 0.1, macs=110), network(0.9, 0.2, macs=100), network(0.8, 0.05, macs=30)
    found = judge(measured(*nets, plain=network(0.7, macs=50)))
    assert found.use == "big" and "needs 110 MACs against 100" in found.sentence
    assert found.to_json()["rows"][0]["mean_ms"] is None


ACCURACIES = st.integers(0, IMAGES).map(lambda right: right / IMAGES)
NETWORKS = st.builds(
    network, ACCURACIES, st.floats(0.001, 100), macs=st.integers(1, 10**9), noise=st.sampled_from([0, 0.01, 0.3])
)


@given(NETWORKS, NETWORKS, NETWORKS, st.none() | NETWORKS, st.floats(0, 1), st.data())
def test_a_pair_that_a_network_beats_is_never_recommended(routed, big, little, plain, share, data):
    others = {"big": big, "little": little} | ({} if plain is None else {"plain": plain})
    for each in others.values():
        gap = round(IMAGES * (routed["accuracy"] - each["accuracy"]))
        both = data.draw(st.integers(0, (IMAGES - abs(gap)) // 2))
        each["against_routed"] = {"only_routed": both + max(gap, 0), "only_this": both + max(-gap, 0)}
    found = judge(measured(routed, share=share, ratio_to_ideal={"batch_1": 1.2}, **others))
    rows = {row.name: row for row in found.rows}
    chosen = rows[found.use]
    for row in rows.values():
        beats = row.accuracy >= chosen.accuracy and row.time().mean <= chosen.time().mean
        assert not (found.use == "routed" and row is not chosen and beats)
        if found.use != "routed" and row.name != "routed":  # among networks the choice is not beaten either
            assert not (row.accuracy > chosen.accuracy and faster(row, chosen))
    assert found.pays == (found.use == "routed") == found.sentence.startswith("Routing pays: ")
    assert found.reason and found.next and set(json.loads(json.dumps(found.to_json()))) == {
        "pays", "use", "sentence", "reason", "next", "rows"
    }  # fmt: skip
    for row in found.rows:
        assert row.interval.lower < row.accuracy < row.interval.upper or row.accuracy in (0, 1)


def outcomes(only_big, only_little):
    rows = {"only_big": only_big, "only_little": only_little, "both": 100, "neither": 100}
    return [{"right": right, "images": images, "little_share": None} for right, images in rows.items()]


def test_networks_that_the_test_images_cannot_tell_apart_are_named_and_the_cheaper_one():
    figures = measured(
        network(0.55, 0.5), network(38 / 67, 0.25), network(36 / 67, 0.2), outcomes=outcomes(7, 5), test_images=67
    )
    found = judge(figures)
    assert found.use == "big" and found.reason.startswith(
        "The 67 test images cannot tell big and little apart (56.7% against 53.7%); little is the cheaper (1.25 times "
        "as fast)."
    )
    figures["outcomes"] = outcomes(30, 1)
    assert "cannot tell" not in judge(figures).reason


@pytest.mark.parametrize(("looks", "said"), [(0.34, True), (0.02, False), (None, False)])
def test_times_of_a_busy_machine_are_called_rough(looks, said):
    for routed in (0.12, 0.5):
        nets = network(0.9, routed), network(0.903, 0.24), network(0.85, 0.05)
        reason = judge(measured(*nets, environment={"busy_looks": looks})).reason
        assert ("The machine was busy in 34% of the looks at it: the times are rough." in reason) == said


def test_speed_in_batches_is_not_praised_without_the_accuracy_that_it_costs():
    nets = [network(0.655, 0.3), network(0.9, 0.28), network(0.6, 0.05)]
    for each, ms in zip(nets, (0.1, 0.226, 0.02), strict=True):
        each["times_ms"]["64"] = {"mean": ms, "lower": ms, "upper": ms}
    found = judge(measured(*nets))
    assert "At batch 64 routing is 2.26 times as fast as big" in found.reason
    assert "ms an image), but 24.5 points less accurate." in found.reason


SHARES = st.sampled_from([0.0, 1.0]) | st.floats(0, 1)


@given(NETWORKS, NETWORKS, NETWORKS, SHARES, st.floats(0, 1), st.floats(1, 3), st.none() | st.integers(0, 300))
def test_no_figure_contradicts_the_advice(routed, big, little, share, constant, ideal, lost):
    more = {"majority": {"accuracy": constant}, "ratio_to_ideal": {"batch_1": ideal}}
    gap = round(IMAGES * (big["accuracy"] - little["accuracy"]))
    if lost is not None:
        lost = min(lost, (IMAGES - abs(gap)) // 2)
        more["outcomes"] = outcomes(lost + max(gap, 0), lost + max(-gap, 0))
    found = judge(measured(routed, big, little, share, **more))
    if found.pays:
        return
    step, stays = found.next, "Accept a little less accuracy" in found.next
    if "asks big" in step or "router" in step:
        assert big["accuracy"] > little["accuracy"]
    if stays:
        advised = int(step.split("--share ")[1].split("%")[0]) / 100
        assert advised > share and little["accuracy"] >= 0.75 * big["accuracy"]
        assert little["latency_ms"]["mean"] / big["latency_ms"]["mean"] < advised
    if max(big["accuracy"], little["accuracy"]) <= constant or big["accuracy"] < 0.5:
        assert step.startswith("First train longer")
    if step.startswith("First train longer"):
        name = "big" if ": big is right" in step else "little"
        accuracy = {"big": big, "little": little}[name]["accuracy"]
        assert accuracy < 0.5 or accuracy - constant < 0.25 * (1 - constant) + 1e-9


@pytest.mark.parametrize(("routed", "little", "right", "step"), [
    (0.30, 0.05, (0.8, 0.79, 0.8), "Give a more accurate big, or several to choose from (--big A B)"),
    (0.30, 0.20, (0.89, 0.9, 0.8), "little at smaller images, or a larger big. To save time without routing, try"),
    (0.30, 0.05, (0.6, 0.9, 0.6), "Give a more accurate little, or several"),
    (0.30, 0.05, (0.4, 0.4, 0.3), "First check the size, range, mean, std and order of classes that big wants"),
])  # fmt: skip
def test_networks_that_were_given_are_replaced_and_not_trained(routed, little, right, step):
    nets = [network(accuracy, ms) for accuracy, ms in zip(right, (routed, 0.28, little), strict=True)]
    share = 0.1 if right[0] == 0.6 else 0.7
    found = judge(measured(*nets, share=share, coupling="given", ratio_to_ideal={"batch_1": 1.05}))
    assert step in found.next
    quantised = judge(measured(*nets, share=share, coupling="given", precision={"sentence": ""}))
    assert "int8" not in quantised.next


@given(NETWORKS, NETWORKS, NETWORKS, SHARES, st.floats(0, 1))
def test_no_training_is_advised_for_networks_that_were_given(routed, big, little, share, constant):
    more = {"majority": {"accuracy": constant}, "ratio_to_ideal": {"batch_1": 1.5}, "coupling": "given"}
    found = judge(measured(routed, big, little, share, **more))
    assert not any(word in found.next.lower() for word in ("longer training", "train longer", "search"))
