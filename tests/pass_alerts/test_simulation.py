"""Each alert exactly once over simulated passes, with restarts, killed senders, new issues and moved burns."""

import pytest
from tests.pass_alerts.simulation import simulate


@pytest.mark.parametrize("seed", range(2))
def test_each_alert_is_told_once_whatever_happens_to_its_sender(seed: int):
    judge = simulate(seed, 40)

    assert judge.alerts > 60
    assert judge.corrections > 0
    assert judge.repeats > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_passes(seed: int):
    judge = simulate(1000 + seed, 1000)
    print(f"{judge.alerts} alerts, {judge.corrections} corrections, {judge.repeats} repeats under the same id")

    assert judge.alerts > 1500
    assert judge.corrections > 50
