"""Prices of single pairs: what they are made of, and what routing adds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duonas.core.rng import stream
from duonas.costs.analytic import analytic, pair_cost, peaks_while_waiting
from duonas.search.prices import Prices


def test_the_figures_of_a_pair_are_the_least_of_its_routers(pairs, routers):
    pair = pairs.sample(stream(3))
    cascade, before, both = (Prices(pairs, routers=some).figures(pair) for some in (routers[:1], routers[1:2], routers))
    little, big = cascade["little_macs"], cascade["big_macs"]
    assert before["peak_macs"] == big + 90_000 and before["expected_macs"] == little + 90_000
    assert cascade["peak_macs"] > both["peak_macs"] == big and both["expected_macs"] == little
    assert cascade["peak_memory_bytes"] >= before["peak_memory_bytes"] == both["peak_memory_bytes"]


@pytest.mark.parametrize("seed", range(5))
def test_what_little_and_big_share_waits_for_big_while_little_answers(pairs, seed):
    """Beside every layer of little's behind the one that reads it."""
    pair = pairs.sample(stream(seed))
    blocks, shared = pairs.space.blocks(pair.little), pairs.shared(pair)
    waiting = 4 * blocks[shared - 1].out_channels * blocks[shared - 1].out_resolution ** 2
    _, *layers = (layer for block in blocks[shared:] for layer in block.layers)
    peaks = peaks_while_waiting(blocks, [analytic([block]).peak_memory_bytes for block in blocks])
    peak, alone = peaks[shared], analytic(blocks).peak_memory_bytes
    assert shared and peak >= max(alone, *(waiting + 4 * layer.activations for layer in layers))
    assert peak <= max(alone, waiting + analytic(blocks[shared:]).peak_memory_bytes)
    assert peaks[0] == peaks[-1] == alone and len(peaks) == len(blocks) + 1


@given(keep=st.floats(0, 0.5), ask=st.floats(0, 0.5), share=st.floats(0, 1), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_routing_takes_time_of_its_own(keep, ask, share, seed, pairs, timed, routers):
    """Every image pays for the decision, and one that goes to big for asking it; other routers have other prices."""
    pair = pairs.sample(stream(seed, "pair"))
    free, dear = (Prices(pairs, timed(*each), routers) for each in ((0.01,), (0.01, keep, ask)))
    for router in routers:
        with_time, without = (prices.price(pair, router) for prices in (dear, free))
        added = (keep, ask) if router.position == "after_little" else (0, 0)
        part = with_time.parts["latency_ms"]
        assert part.expected(share) == pytest.approx(
            without.parts["latency_ms"].expected(share) + added[0] + (1 - share) * added[1]
        )
        assert part.expected(share) <= part.peak + 1e-12
        assert with_time.parts["macs"] == without.parts["macs"] and with_time.big == without.big


def test_figures_of_a_pair(pairs):
    pair = pairs.sample(stream(3))
    figures = Prices(pairs).figures(pair)
    little, big = (analytic(pairs.space.blocks(arch)) for arch in (pair.little, pair.big))
    assert figures["little_macs"] == little.macs == figures["expected_macs"]
    assert figures["big_macs"] == big.macs and figures["params"] == big.params >= little.params
    blocks = pairs.space.blocks(pair.little)
    waiting = peaks_while_waiting(blocks, [analytic([b]).peak_memory_bytes for b in blocks])[pairs.shared(pair)]
    assert figures["peak_memory_bytes"] == max(waiting, big.peak_memory_bytes)
    stem = pair_cost(pairs, pair).stem
    assert figures["peak_macs"] == little.macs + big.macs - stem
