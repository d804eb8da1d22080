from __future__ import annotations

import pytest

from duonas.data.rate import STEADY, Rate, Waiting


def test_a_rate_is_of_the_images_since_it_was_last_asked() -> None:
    times = iter([0.0, 2.0, 5.0, 6.0, 10.0, 14.0])
    rate = Rate(lambda: next(times))
    assert rate() == 0
    for images in (10, 20):
        with rate.making(images):
            pass
    assert rate() == 30 / 3
    with rate.making(8):
        pass
    assert (rate(), rate()) == (2, 0)


@pytest.mark.parametrize(("made", "said"), [(150.0, True), (900.0, False), (0.0, False)])
def test_it_is_said_once_that_a_training_waits_for_its_images(made: float, said: bool) -> None:
    waiting = Waiting()
    advice = [waiting.advice(100, made) for _ in range(STEADY + 3)]
    assert [bool(each) for each in advice] == [number == STEADY - 1 and said for number in range(STEADY + 3)]
    if said:
        assert "made ready at 150 a second and trained on at 100" in advice[STEADY - 1]
