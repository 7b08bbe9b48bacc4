"""Progress of long work, on a terminal and in a log."""

import logging
import threading

import pytest

from llp_core import progress
from llp_core.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, as the one item of a list that a test may change."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_ten_seconds(caplog: pytest.LogCaptureFixture, clock: list[float]) -> None:
    caplog.set_level(logging.INFO, "llp_core")
    with Progress(500, "teacher, transductive") as shown:
        for _ in range(25):
            clock[0] += 1
            shown.advance(valid_score=0.41237)
    assert [record.message for record in caplog.records] == [
        "teacher, transductive 10/500: valid_score 0.4124",
        "teacher, transductive 20/500: valid_score 0.4124",
    ]


def test_figures_stay_until_others_take_their_place(caplog: pytest.LogCaptureFixture, clock: list[float]) -> None:
    caplog.set_level(logging.INFO, "llp_core")
    with Progress(30, "student") as shown:
        shown.advance(3, loss=0.5)
        clock[0] += 10
        shown.advance()
        clock[0] += 10
        shown.advance(loss=0.25, valid_score=1)
    assert [record.message for record in caplog.records] == [
        "student 4/30: loss 0.5",
        "student 5/30: loss 0.25, valid_score 1",
    ]


def test_a_count_alone_needs_no_figures(caplog: pytest.LogCaptureFixture, clock: list[float]) -> None:
    caplog.set_level(logging.INFO, "llp_core")
    with Progress(2, "latency") as shown:
        clock[0] += 10
        shown.advance()
    assert [record.message for record in caplog.records] == ["latency 1/2"]


def test_a_part_of_a_step_counts(caplog: pytest.LogCaptureFixture, clock: list[float]) -> None:
    caplog.set_level(logging.INFO, "llp_core")
    with Progress(3, "teacher") as shown:
        for _ in range(6):
            clock[0] += 5
            shown.advance(1 / 3)
    assert [record.message for record in caplog.records] == ["teacher 0.67/3", "teacher 1.33/3", "teacher 2/3"]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "_on_terminal", lambda: True)
    with Progress(4, "teacher, cold_start") as shown:
        shown.advance(3, loss=0.125)
        assert shown._bar is not None
        shown._bar.refresh()
    bar = capsys.readouterr().err
    assert "teacher, cold_start:  75%" in bar
    assert "3/4" in bar
    assert "loss 0.125" in bar


def test_a_request_to_stop_reaches_every_thread() -> None:
    ended: list[bool] = []

    def work() -> None:
        with Progress(10**9, "forever") as shown:
            try:
                while True:
                    shown.advance()
            except KeyboardInterrupt:
                ended.append(True)

    threads = [threading.Thread(target=work) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
        progress.stop_requested.set()
        for thread in threads:
            thread.join(timeout=10)
    finally:
        progress.stop_requested.clear()
    assert ended == [True, True]
