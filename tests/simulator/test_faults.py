"""Which request a fault hits, and which orders are refused."""

import pytest
from pydantic import ValidationError

from orbitlake.simulator.faults import Fault, FaultBoard, FaultKind, fault_from_text

FEED = "/iss-now.json"


def kinds(board: FaultBoard, path: str = FEED) -> list[str]:
    return [active.fault.kind.value for active in board.striking(path)]


def test_a_fault_hits_the_next_requests_for_its_path_and_then_no_more():
    board = FaultBoard([Fault(kind=FaultKind.RATE_LIMITED, path=FEED, requests=2)])

    assert [bool(kinds(board, path)) for path in ("/other", FEED, FEED, FEED)] == [False, True, True, False]
    assert board.report()[0]["hits"] == 2
    assert board.report()[0]["remaining"] == 0


def test_chance_is_repeated_by_the_seed():
    def hits(seed: int) -> list[bool]:
        board = FaultBoard([Fault(kind=FaultKind.HTML_OK, probability=0.3, seed=seed)])
        return [bool(kinds(board)) for _ in range(1000)]

    assert hits(1) == hits(1) != hits(2)
    assert 250 < sum(hits(1)) < 350


def test_one_fault_of_transport_hits_at_a_time_and_those_of_position_add_up():
    board = FaultBoard(
        [
            Fault(kind=FaultKind.BAD_GATEWAY_HTML, requests=1),
            Fault(kind=FaultKind.STALE_ORBIT),
            Fault(kind=FaultKind.RATE_LIMITED, requests=1),
            Fault(kind=FaultKind.CLOCK_SKEW),
        ]
    )

    assert kinds(board) == ["bad_gateway_html", "stale_orbit", "clock_skew"]
    assert kinds(board) == ["stale_orbit", "rate_limited", "clock_skew"]
    assert kinds(board) == ["stale_orbit", "clock_skew"]


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "unheard_of"},
        {"kind": "timeout", "seconds": 601},
        {"kind": "timeout", "seconds": -1},
        {"kind": "timeout", "seconds": float("nan")},
        {"kind": "html_ok", "seconds": 1},
        {"kind": "html_ok", "requests": 0},
        {"kind": "html_ok", "probability": 0},
        {"kind": "html_ok", "probability": 1.1},
        {"kind": "html_ok", "path": "iss-now.json"},
        {"kind": "html_ok", "surprise": True},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(order: dict):
    with pytest.raises(ValidationError):
        Fault.model_validate(order)


def test_an_order_can_be_written_on_one_line():
    fault = fault_from_text("clock_skew,path=/iss-now.json,requests=3,seconds=-7.5")

    assert fault == Fault(kind=FaultKind.CLOCK_SKEW, path=FEED, requests=3, seconds=-7.5)
