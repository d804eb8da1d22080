"""Progress: lines now and then, bars that know the time left, also where a stage resumes."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from duonas.cli.console import Bars, Lines, watch
from duonas.core.progress import Silent, lazy_stage


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_lines_come_now_and_then_with_time_left_and_figures():
    clock, said = Clock(), []
    with Lines(said.append, clock, every=10).stage("train") as report:
        report(0, 40)
        for done in range(1, 41):
            clock.now += 1
            report(done, 40, loss=1 / done, val_accuracy=0.5)
    assert said == [
        "train: started",
        "train: 10 of 40 steps, 30 s left, loss 0.1, val accuracy 50.0 %",
        "train: 20 of 40 steps, 20 s left, loss 0.05, val accuracy 50.0 %",
        "train: 30 of 40 steps, 10 s left, loss 0.03333, val accuracy 50.0 %",
        "train: 40 of 40 steps, 0 s left, loss 0.025, val accuracy 50.0 %",
        "train: done in 40 s, loss 0.025, val accuracy 50.0 %",
    ]


def test_text_of_several_lines_is_written_as_it_is():
    table = "class  train\n[b]        3\nx" + "y" * 200
    said, screen = [], io.StringIO()
    Lines(said.append).note(table)
    Bars(Console(file=screen, width=60, force_terminal=True)).note(table)
    assert said == [table] and screen.getvalue() == f"{table}\n"


def test_a_stage_that_fails_is_not_called_done():
    said = []
    with pytest.raises(KeyboardInterrupt), Lines(said.append, Clock()).stage("train"):
        raise KeyboardInterrupt
    assert said == ["train: started"]


def test_a_stage_says_where_it_goes_on_and_each_of_its_pieces():
    said = []
    with Lines(said.append, Clock()).stage("train") as report:
        report(703, 2109)
        report(704, 2109)
    with Lines(said.append, Clock()).stage("finetune") as report:  # little's training was done, big's was begun
        report(50, 50)
        report(20, 50)
    with Lines(said.append, Clock()).stage("pair") as report:
        report(1, 1)
    assert [line for line in said if "started" not in line and "done in" not in line] == [
        "train: resumes from 703 of 2,109 steps",
        "finetune: resumes from 50 of 50 steps",
        "finetune: resumes from 20 of 50 steps",
    ]


def test_skipped_stages_say_why():
    said = []
    Lines(said.append).skip("train", "done before")
    assert said == ["train: done before"]
    Silent().skip("train", "done before")
    with Silent().stage("train") as report:
        assert report(1, 2, loss=0.5) is None


def test_of_work_that_was_done_before_nothing_is_said():
    said = []
    with lazy_stage(Lines(said.append, Clock()), "data"):
        pass
    assert said == []
    with lazy_stage(Lines(said.append, Clock()), "data") as report:
        report(0, 2)
        report(2, 2)
    assert said == ["data: started", "data: done in 0 s"]


def test_a_search_that_replays_says_what_is_known_already():
    said = []
    with Lines(said.append, Clock()).stage("search") as report:
        report(6, 12)
    assert said[1] == "search: 6 of 12 pairs need no evaluation, since their archs were evaluated before"


def test_bars_are_for_terminals_and_fill_up():
    page = io.StringIO()
    console = Console(file=page, force_terminal=True, width=120, color_system=None)
    watcher = watch(console)
    assert isinstance(watcher, Bars)
    watcher.skip("train", "done before")
    with watcher.stage("search") as report:
        report(40, 100)
        report(50, 100, accuracy=0.876)
    shown = page.getvalue()
    assert "train    done before" in shown and "search   40 of 100 pairs need no evaluation" in shown
    assert "100/100" in shown and "accuracy 87.6 %" in shown and "left" in shown


def test_elsewhere_there_are_plain_lines():
    page = io.StringIO()
    watcher = watch(Console(file=page, force_terminal=False, width=20))
    assert isinstance(watcher, Lines)
    watcher.skip("train", "[done] before, in a folder with a long name")
    assert page.getvalue() == "train: [done] before, in a folder with a long name\n"
