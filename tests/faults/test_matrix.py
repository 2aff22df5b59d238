"""The fault matrix says what the tests saw."""

from tests.faults.matrix import Result, render


def test_page_has_a_row_a_case_and_names_what_failed() -> None:
    """Each case has a row with its numbers; one that failed is in bold and is not counted among those that hold."""
    held = Result("Cut", "mosquitto", "SQLite", 20, 855, 855, 49, 21, 7.8, "passed")
    lost = Result("Killed", "mosquitto", "PostgreSQL", 3, 10, 9, 0, 1, 2.0, "failed")
    page = render([held, lost], long=True, machine="a box", date="2026-01-02")
    assert "| Cut | mosquitto | SQLite | 20 | 855 | 855 | 49 | 21 | 7.8 | holds |" in page
    assert "| Killed | mosquitto | PostgreSQL | 3 | 10 | 9 | 0 | 1 | 2 | **failed** |" in page
    assert "1 of 2 cases hold" in page
