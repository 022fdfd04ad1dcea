"""Timecode: worked by hand, and against OpenTimelineIO's."""

from fractions import Fraction

import pytest
from opentimelineio.opentime import RationalTime, from_timecode, to_timecode

from cavmae_sync.edit import Timecode, parse_rate
from cavmae_sync.edit.timecode import counts_in, may_drop
from cavmae_sync.errors import ConfigError

from .made import RATES

NTSC, NTSC60 = Fraction(30000, 1001), Fraction(60000, 1001)


@pytest.mark.parametrize(
    ("frame", "rate", "is_drop", "text"),
    [
        (0, NTSC, True, "00:00:00;00"),
        (1799, NTSC, True, "00:00:59;29"),
        (1800, NTSC, True, "00:01:00;02"),  # 00 and 01 are left out
        (3597, NTSC, True, "00:01:59;29"),
        (3598, NTSC, True, "00:02:00;02"),
        (17981, NTSC, True, "00:09:59;29"),
        (17982, NTSC, True, "00:10:00;00"),  # a tenth minute leaves nothing out
        (17982 + 1800, NTSC, True, "00:11:00;02"),
        (107892, NTSC, True, "01:00:00;00"),  # 6 x 17982
        (2589408, NTSC, True, "00:00:00;00"),  # 24 h: 144 x 17982
        (2589407, NTSC, True, "23:59:59;29"),
        (1800, NTSC, False, "00:01:00:00"),
        (2592000, NTSC, False, "00:00:00:00"),
        (3599, NTSC60, True, "00:00:59;59"),
        (3600, NTSC60, True, "00:01:00;04"),
        (35964, NTSC60, True, "00:10:00;00"),
        (86400, Fraction(24000, 1001), False, "01:00:00:00"),
        (24, Fraction(25), False, "00:00:00:24"),
        (25, Fraction(25), False, "00:00:01:00"),
        (119, Fraction(120), False, "00:00:00:119"),
    ],
)  # fmt: skip
def test_worked_by_hand(frame: int, rate: Fraction, is_drop: bool, text: str):
    timecode = Timecode(frame=frame, rate=rate, is_drop=is_drop)
    assert str(timecode) == text
    assert str(Timecode.parse(text, rate)) == text


@pytest.mark.parametrize("name", RATES)
def test_a_day_is_counted_as_opentimelineio_counts_it(name: str):
    rate, start = RATES[name]
    is_drop = ";" in start
    step = 997  # prime: meets every place of a minute
    for frame in range(0, counts_in(rate) * 86_000, step * 17):
        text = to_timecode(RationalTime(frame, float(rate)), float(rate), is_drop)
        assert str(Timecode(frame=frame, rate=rate, is_drop=is_drop)) == text
        assert Timecode.parse(text, rate) == Timecode(frame=frame, rate=rate, is_drop=is_drop)
        if is_drop or not may_drop(rate):
            assert from_timecode(text, float(rate)).value == frame


def test_every_number_of_twenty_minutes_is_there_once_but_for_those_left_out():
    texts = {str(Timecode(frame=frame, rate=NTSC, is_drop=True)) for frame in range(35_964)}
    assert len(texts) == 35_964 == 30 * 1200 - 2 * 18
    assert "00:01:00;00" not in texts
    assert "00:10:00;01" in texts


def test_what_is_no_timecode_is_refused():
    for text, said in (
        ("00:01:00;00", "leaves this number out"),
        ("00:00:00:30", "below 30"),
        ("24:00:00:00", "no timecode"),
        ("nonsense", "no timecode"),
    ):
        with pytest.raises(ConfigError, match=said):
            Timecode.parse(text, NTSC)
    with pytest.raises(ConfigError, match="only at 30000/1001"):
        Timecode(frame=0, rate=Fraction(25), is_drop=True)
    with pytest.raises(ConfigError, match="no timecode at 25/2"):
        Timecode(frame=0, rate=Fraction(25, 2))
    # A mark that has no meaning at a rate is not taken for one.
    assert not Timecode.parse("01:00:00;00", Fraction(25)).is_drop


def test_rates_as_people_write_them():
    assert parse_rate("23.976") == parse_rate("23.98") == Fraction(24000, 1001)
    assert parse_rate("59.94") == NTSC60
    assert parse_rate("30000/1001") == NTSC
    assert parse_rate(" 50 ") == 50
    for text in ("fast", "0", "1/0", "12.5", "-25"):
        with pytest.raises(ConfigError):
            parse_rate(text)
