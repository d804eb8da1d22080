from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.data.prefetch import Prefetch


@given(st.lists(st.integers(0, 5), max_size=12))
def test_what_is_asked_for_is_given_in_any_order(numbers: list[int]) -> None:
    made = Prefetch(lambda number: 10 * number)
    assert [made(number) for number in numbers] == [10 * number for number in numbers]


def test_the_next_one_is_made_while_the_last_is_used_and_none_after_the_end() -> None:
    begun = {number: threading.Event() for number in range(4)}

    def make(number: int) -> int:
        begun[number].set()
        return number

    made = Prefetch(make, end=3)
    assert made(0) == 0
    assert begun[1].wait(10)
    assert [made(1), made(2)] == [1, 2]
    made._pool.shutdown()
    assert not begun[3].is_set()


def test_a_failure_is_raised_where_its_thing_is_asked_for() -> None:
    made = Prefetch(lambda number: 1 // (2 - number))
    assert [made(0), made(1)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        made(2)
    assert made(3) == -1
