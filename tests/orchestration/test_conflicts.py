"""The alert of an open question: it stands until somebody has said which file holds, in whatever way."""

import pytest

from orbitlake.alerts import standing
from orbitlake.lake import Lake
from orbitlake.lake.quarantine import DECISION, quarantine
from orbitlake.orchestration.alerting import board
from orbitlake.orchestration.conflicts import clear_settled, raise_question
from orbitlake.orchestration.outcomes import of_ingestion, of_settling

CONFLICT = {"outcome": "conflict", "object_id": "1998-067A", "creation_date": "2023-03-24T22:55:31Z"}


@pytest.fixture
def asked(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> tuple[Lake, str]:
    """A lake with a file in quarantine that a person is asked about, and its name."""
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))
    monkeypatch.delenv("ORBITLAKE_ALERTS", raising=False)
    name = quarantine(lake, "new.txt", b"content", "another x_km", outcome="conflict").name
    raise_question({"file": name, "subject": "Which file holds?", "body": "", "shown": []})
    return lake, name


def test_an_open_question_is_an_alert_that_says_what_clears_it(asked):
    lake, name = asked
    clear_settled(board())
    (alert,) = standing(lake)

    assert alert.name == f"conflict-{name[:16]}"
    assert alert.text == "Which file holds?"
    assert "Required Actions" in alert.clears
    assert f"--settle {name} keep|take" in alert.clears


@pytest.mark.parametrize("way", ["kept", "taken", "dropped"])
def test_the_alert_goes_with_any_answer_and_with_the_file(asked, way: str):
    lake, name = asked
    if way != "dropped":
        (lake.quarantine / f"{name}{DECISION}").write_text("{}")
    if way != "kept":
        for file in (name, f"{name}.reason.json"):
            (lake.quarantine / file).unlink()
    clear_settled(board())

    assert standing(lake) == []


def test_the_note_of_a_conflict_quotes_nothing_of_the_file():
    sentence = of_ingestion([CONFLICT | {"reason": "another comments: <b>[x](https://evil.example)"}])

    assert sentence.startswith("conflict: 1998-067A, issue of 2023-03-24T22:55:31Z: ")
    assert "evil" not in sentence
    assert "Settle conflict" in sentence


@pytest.mark.parametrize(
    ("outcome", "words"), [("kept", "the file in the lake holds"), ("taken", "the new file holds")]
)
def test_the_note_of_an_answer_says_which_holds_and_who_said_so(outcome: str, words: str):
    sentence = of_settling([CONFLICT | {"outcome": outcome, "reason": "Ada decided at 2026-11-20T12:00:00+00:00"}])

    assert f"{words}: Ada decided at 2026-11-20" in sentence
