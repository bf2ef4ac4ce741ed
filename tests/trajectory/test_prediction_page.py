"""docs/prediction.md on the real files: its tables are those of the code, bounds hold, what ships was shown to help."""

import pytest
from tools.prediction.coverage import held
from tools.prediction.estimators import ESTIMATORS
from tools.prediction.history import History
from tools.prediction.page import PAGE, TABLE, tables_of
from tools.prediction.rises import rises
from tools.prediction.walk import cells, median_bounds

from orbitlake.trajectory.learned_bands import learn_bands

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def history(real_data) -> History:
    return History.of(real_data)


def test_tables_of_the_page_are_those_of_the_code(history):
    tables = tables_of(history)

    printed = {name: table.strip() for _, name, table, _ in TABLE.findall(PAGE.read_text())}
    assert printed == {name: table.strip() for name, table in tables.items()}


def test_p90_holds_85_to_95_of_100_predictions_that_came_after_what_it_was_learned_from(history):
    found = [each.p90 for each in held(history.errors)]

    assert len(found) > 20
    assert 0.85 <= sum(found) / len(found) <= 0.95


def test_the_interval_of_a_rise_holds_85_to_95_of_100_that_later_issues_tell(history):
    found = rises(history)

    assert found.pair.size > 1000
    assert 0.85 <= found.share <= 0.95
    assert 0.85 <= found.share_of_pairs <= 0.95


def test_the_bands_follow_from_the_comparisons_in_any_order(history):
    backwards = history.errors.take(list(range(history.errors.num_rows))[::-1])

    assert learn_bands(backwards).equals(learn_bands(history.errors))


def test_the_correction_ships_only_where_the_bounds_of_its_gain_exclude_nothing(history):
    shipped, *_ = ESTIMATORS
    found = [each for each in cells(history) if each.is_shipped]

    assert {7.0, 10.0, 14.0} <= {each.lead_d for each in found}
    for each in found:
        low_km, _ = median_bounds(each.raw_km - each.corrected_km[shipped])
        assert low_km > 0.0, f"{each.lead_d} days, observed until {each.until_d}"
