"""The alerts of a lake: each told once to every channel, cleared once, whoever fails or is killed in between."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest

from orbitlake.alerts import Alert, Board, ChannelError, Condition, standing

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WRONG = Condition("feed-silent", "no fix for 10 min", is_wrong=True)
WELL = Condition("feed-silent", "the newest fix arrived at noon", is_wrong=False)


class Channels:
    """Remembers what each channel was told; those in `down` take nothing."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, bool]] = []
        self.down: set[str] = set()

    def __call__(self, channel: str, alert: Alert) -> None:
        if channel in self.down:
            raise ChannelError("no answer")
        self.told.append((channel, alert.name, alert.is_over))


@pytest.fixture
def channels() -> Channels:
    return Channels()


@pytest.fixture
def board(lake, channels: Channels) -> Board:
    return Board(lake, ("log", "webhook:duty"), channels)


def test_an_alert_is_told_once_to_each_channel_however_often_it_is_raised(board: Board, channels: Channels):
    for minutes in range(3):
        board.heed(WRONG, NOON + timedelta(minutes=minutes))

    assert channels.told == [("log", "feed-silent", False), ("webhook:duty", "feed-silent", False)]
    assert [(alert.text, alert.since) for alert in board.standing()] == [(WRONG.text, "2026-11-20T12:00:00+00:00")]


def test_it_is_cleared_once_and_leaves_nothing(board: Board, channels: Channels):
    board.heed(WRONG)
    channels.told.clear()
    for _ in range(3):
        board.heed(WELL)

    assert channels.told == [("log", "feed-silent", True), ("webhook:duty", "feed-silent", True)]
    assert list(board.folder.iterdir()) == []


def test_what_is_well_is_told_to_nobody(board: Board, channels: Channels):
    board.heed(WELL)

    assert channels.told == []
    assert board.standing() == []


def test_a_channel_that_is_down_is_told_later_and_the_others_once(board: Board, channels: Channels):
    channels.down = {"webhook:duty"}
    for _ in range(2):
        with pytest.raises(ChannelError, match="webhook:duty was not told of feed-silent: no answer"):
            board.heed(WRONG)
    channels.down = set()
    board.settle_all()
    board.settle_all()

    assert channels.told == [("log", "feed-silent", False), ("webhook:duty", "feed-silent", False)]


def test_a_channel_that_misses_the_end_hears_it_later(board: Board, channels: Channels):
    board.heed(WRONG)
    channels.told.clear()
    channels.down = {"webhook:duty"}
    with pytest.raises(ChannelError):
        board.heed(WELL)
    assert board.standing() == []
    channels.down = set()
    board.settle_all()

    assert channels.told == [("log", "feed-silent", True), ("webhook:duty", "feed-silent", True)]
    assert list(board.folder.iterdir()) == []


def test_a_channel_that_never_heard_of_an_alert_does_not_hear_of_its_end(board: Board, channels: Channels):
    channels.down = {"webhook:duty"}
    for condition in (WRONG, WELL):
        with pytest.raises(ChannelError) if condition.is_wrong else nullcontext():
            board.heed(condition)

    assert channels.told == [("log", "feed-silent", False), ("log", "feed-silent", True)]


def test_one_killed_between_the_file_and_the_telling_has_the_next_look_tell(board: Board, channels: Channels):
    def killed(channel: str, alert: Alert) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Board(board.lake, board.channels, killed).heed(WRONG)
    board.settle_all()

    assert channels.told == [("log", "feed-silent", False), ("webhook:duty", "feed-silent", False)]


def test_a_channel_that_left_the_settings_does_not_hold_an_alert(board: Board, channels: Channels):
    board.heed(WRONG)
    channels.told.clear()
    Board(board.lake, ("log",), channels).heed(WELL)

    assert channels.told == [("log", "feed-silent", True)]
    assert list(board.folder.iterdir()) == []


def test_one_channel_down_does_not_keep_other_alerts_from_being_told(board: Board, channels: Channels):
    channels.down = {"log", "webhook:duty"}
    for name in ("a", "b"):
        with pytest.raises(ChannelError):
            board.heed(Condition(name, "wrong", is_wrong=True))
    channels.down = {"log"}

    with pytest.raises(ChannelError, match=r"log was not told of a: .*; log was not told of b: "):
        board.settle_all()
    assert channels.told == [("webhook:duty", "a", False), ("webhook:duty", "b", False)]


def test_an_alert_is_a_file_that_a_person_can_read(board: Board):
    board.heed(WRONG, NOON)

    held = json.loads((board.lake.root / "alerts" / "feed-silent.json").read_text())
    assert held == {
        "name": "feed-silent",
        "text": "no fix for 10 min",
        "since": "2026-11-20T12:00:00+00:00",
        "is_over": False,
        "told": ["log", "webhook:duty"],
    }


def test_a_cause_that_changes_while_the_alert_stands_is_shown_and_not_told_again(board: Board, channels: Channels):
    board.heed(WRONG, NOON)
    channels.told.clear()
    board.heed(Condition("feed-silent", "not polled", is_wrong=True, clears="the next poll"), NOON.replace(hour=13))

    assert [(alert.text, alert.clears, alert.since) for alert in standing(board.lake)] == [
        ("not polled", "the next poll", "2026-11-20T12:00:00+00:00")
    ]
    assert channels.told == []


def test_what_stands_says_what_clears_it(board: Board):
    board.heed(Condition("feed", "silent", is_wrong=True, clears="a poll with a fix"))

    assert [alert.clears for alert in standing(board.lake)] == ["a poll with a fix"]


@pytest.mark.parametrize(
    "content", [b"", b"not JSON", b"[1]", b'{"name": "x"}', b'{"since": 3, "colour": "red"}', b"\xff"]
)
def test_a_file_that_is_no_alert_stands_as_one_and_keeps_no_other_from_being_told(
    board: Board, channels: Channels, content: bytes
):
    board.heed(WRONG, NOON)
    (board.folder / "by-hand.json").write_bytes(content)
    board.settle_all()
    board.heed(WELL)

    assert channels.told[-1] == ("webhook:duty", "feed-silent", True)
    (alert,) = standing(board.lake)
    assert alert.name == "by-hand"
    assert "by-hand.json is no alert that can be read" in alert.text


def test_a_lake_without_alerts_has_none_that_stand(lake):
    assert standing(lake) == []
