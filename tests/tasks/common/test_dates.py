"""Dates in the forms people save them in, and what a column decides about them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tasks.common.dates import parse_date, read_dates, sort_keys
from tasks.common.errors import ConfigError
from tasks.common.instants import find_ties, format_instant
from tasks.example import Behavior, newest_first

NEW_YEARS_EVE = 1_388_534_399  # 2013-12-31 23:59:59 UTC
FORMS = {
    "2014": "2014", 2014: "2014", "2014-07": "2014-07", "12/2013": "2013-12", "201312": "2013-12",
    "2014-07-08": "2014-07-08", "2014-7-8": "2014-07-08", "2014/07/08": "2014-07-08",
    "2014.07.08": "2014-07-08", 20140708: "2014-07-08", "2014-07-00": "2014-07",
    "2014-00-00": "2014", "2014-W05-3": "2014-01-29", "2014-123": "2014-05-03",
    "2014-07-08T10:00:00Z": "2014-07-08T10:00:00", "2014-07-08 10:00": "2014-07-08T10:00:00",
    "2014-07-08T01:00:00.5+02:00": "2014-07-07T23:00:00.500000",
    "2014-07-08 01:00:00 +0200": "2014-07-07T23:00:00", "20140708T100000Z": "2014-07-08T10:00:00",
    "20140708100000": "2014-07-08T10:00:00", "2014-07-08 11:59 PM": "2014-07-08T23:59:00",
    "2014-01-01 12:00 am": "2014-01-01T00:00:00", "12/01/2001": "2001-12-01",
    "13/01/2001": "2001-01-13", "09/13/2009": "2009-09-13", "31.12.2013": "2013-12-31",
    "01.02.2014": "2014-02-01", "31.12.2013, 23:59": "2013-12-31T23:59:00",
    "12/31/13": "2013-12-31", "31/12/68": "2068-12-31", "31/12/69": "1969-12-31",
    "99/12/31": "1999-12-31", "12/31/2013 11:59 p.m.": "2013-12-31T23:59:00",
    "Dec 31, 2013": "2013-12-31", "31-Dec-13": "2013-12-31", "Dec 2013": "2013-12",
    "December 31st, 2013": "2013-12-31", "31 Dec 2013 11:59 PM": "2013-12-31T23:59:00",
    "Mon Apr 06 22:19:45 PDT 2009": "2009-04-07T05:19:45",
    "Tue Dec 31 23:59:59 2013 +0100": "2013-12-31T22:59:59",
    "Tue, 31 Dec 2013 23:59:59 GMT": "2013-12-31T23:59:59",
    "31/Dec/2013:23:59:59 +0000": "2013-12-31T23:59:59", "2013年12月31日": "2013-12-31",
    "2013年12月": "2013-12", "2013년 12월 31일": "2013-12-31", "２０１３-12-31": "2013-12-31",
    NEW_YEARS_EVE: "2013-12-31T23:59:59", str(NEW_YEARS_EVE): "2013-12-31T23:59:59",
    float(NEW_YEARS_EVE): "2013-12-31T23:59:59", "1388534399.25": "2013-12-31T23:59:59.250000",
    NEW_YEARS_EVE * 10**3: "2013-12-31T23:59:59", NEW_YEARS_EVE * 10**6: "2013-12-31T23:59:59",
    NEW_YEARS_EVE * 10**9: "2013-12-31T23:59:59", date(2013, 12, 31): "2013-12-31",
    datetime(2013, 12, 31, 1, tzinfo=timezone(timedelta(hours=2))): "2013-12-30T23:00:00",
}  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), FORMS.items(), ids=map(str, FORMS))
def test_common_forms(value, expected):
    assert format_instant(parse_date(value)) == expected


@pytest.mark.parametrize("value", [None, "", " ", "NaN", float("nan"), "null", "N/A", "0000-00-00"])
def test_missing(value):
    assert parse_date(value) is None


@pytest.mark.parametrize(
    "value",
    ["spring", "May", "10:30", "31", "2014-02-30", "2013-31-12", "31/31/2013", "2014-366", "1,2,3",
     "version 1.2.3", "2013-12-31 10:00 XYZ", "2014-07-08 25:00", "9" * 300, "1" * 21, 10**40, "x" * 10**6, 9e300,
     float("inf"), True, [2014], "0001-01-01T00:00:00+05:00", "5 people in May"],
)  # fmt: skip
def test_no_dates(value):
    with pytest.raises(ValueError, match=r"is no|lies outside") as error:
        parse_date(value)
    assert len(str(error.value)) < 200


def texts(values, format=None):
    column = read_dates(values, format)
    return [column.text(value) for value in values], [fault.kind for fault in column.faults]


def test_one_day_above_12_settles_a_column():
    american = ["12/01/2001", "09/13/2009", "01/02/2014"]
    assert texts(american) == (["2001-12-01", "2009-09-13", "2014-01-02"], [])
    british = ["12/01/2001", "13/09/2009", "01/02/2014 10:00"]
    assert texts(british) == (["2001-01-12", "2009-09-13", "2014-02-01T10:00:00"], [])
    mixed = ["12.01.2001", "12/01/2001", "12/31/2001"]  # each separator by itself
    assert texts(mixed) == (["2001-01-12", "2001-12-01", "2001-12-31"], [])


def test_an_unsettled_column_is_reported():
    column = read_dates(["12/01/2001", "01/02/2014", "05/05/2014"])
    (fault,) = column.faults
    assert fault.kind == "ambiguous-dates"
    assert fault.values == ("12/01/2001", "01/02/2014")  # 05/05 is May 5 either way
    assert "month first" in fault.message
    assert 'dates = "day-first"' in fault.message
    assert texts(["12-01-2001"]) == (["2001-12-01"], ["ambiguous-dates"])
    assert texts(["12.01.2001"]) == (["2001-01-12"], [])


def test_contradictory_dates_follow_the_majority():
    values = ["13/09/2009", "01/14/2014", "15/10/2009", "12/01/2001"]
    assert texts(values) == (
        ["2009-09-13", "2014-01-14", "2009-10-15", "2001-01-12"],
        ["contradictory-dates"],
    )


def test_a_format_decides():
    assert texts(["12/01/2001"], "day-first") == (["2001-01-12"], [])
    assert texts(["12/01/2001"], "%d/%m/%Y") == (["2001-01-12"], [])
    assert texts(["01/13/2001"], "day-first") == ([None], ["unreadable-dates"])
    assert texts(["2001-01-12", ""], "%d/%m/%Y") == ([None, None], ["unreadable-dates"])
    assert texts(["Jan 01"], "%b %y") == (["2001-01"], [])
    for wrong in ("%d/%m", "day first", "%Q", ""):
        with pytest.raises(ConfigError, match="is no format of dates"):
            read_dates([], wrong)


def test_numbers_that_are_no_dates_are_positions():
    column = read_dates([1, 2, 17, 201312, 20000, None])
    assert column.positions
    assert [column[value] for value in (17, 201312, None)] == [(17,), (201312,), None]
    assert texts(["17", "2014-01-01", "2014-01-02"])[1] == ["unreadable-dates"]


def test_sort_keys():
    year, missing, day = sort_keys(["2014", None, "2014-07-08"])
    assert (year, missing) == ((2014, 1, 1, 0, 0, 0, 0), ())
    assert missing < year < day == (2014, 7, 8, 0, 0, 0, 0)
    first, last = sort_keys(["17", "201312"])
    assert first < last
    forms = ["Dec 31, 2013", "1388534400", "31.12.2013 10:00", "unknown"]
    keys = sort_keys(forms)
    assert sorted(forms, key=lambda form: keys[forms.index(form)]) == [
        "unknown", "Dec 31, 2013", "31.12.2013 10:00", "1388534400",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "other", ["2024-01-05T00:00:00", "5 Jan 2024 12 am", "2024-01-05T00:00:00Z", "1704412800"]
)
def test_one_moment_is_a_tie_however_precisely_it_is_written(other):
    assert len(set(sort_keys(["2024-01-05", other]))) == 1
    history = [Behavior("a", "", "", date="2024-01-05"), Behavior("b", "", "", date=other)]
    assert newest_first(history) == [1, 0]
    assert newest_first(history[::-1]) == [1, 0]  # the file decides


def test_dates_are_tied_where_one_is_the_beginning_of_the_other():
    year, month, day, moment = (2014,), (2014, 7), (2014, 7, 8), (2014, 7, 8, 0, 0, 0, 0)
    assert find_ties([day, moment, (2014, 7, 9)]) == {day, moment}
    assert find_ties([year, day, (2015,), ()]) == {year, day}
    assert find_ties([month, month, (2015, 7)]) == {month}
    assert find_ties([(), (), (17,), (18,)]) == set()


def test_the_clock_of_the_machine_changes_nothing(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    assert parse_date("2014-07-08 10:00 EST") == (2014, 7, 8, 15, 0, 0, 0)
    assert parse_date(datetime(2014, 7, 8, 10, tzinfo=UTC)) == (2014, 7, 8, 10, 0, 0, 0)
