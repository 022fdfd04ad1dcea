"""Times as players show them."""

from cavmae_sync.media.clock import clock


def test_times_are_printed_as_players_show_them():
    for seconds, whole, with_tenths in [
        (0, "0:00", "0:00"),
        (-0.25, "0:00", "0:00"),
        (9.96, "0:10", "0:10"),
        (59.5, "1:00", "0:59.5"),
        (59.97, "1:00", "1:00"),
        (61.25, "1:01", "1:01.3"),
        (3599.6, "1:00:00", "59:59.6"),
        (3600, "1:00:00", "1:00:00"),
        (3725.5, "1:02:06", "1:02:05.5"),
    ]:
        assert clock(seconds) == whole
        assert clock(seconds, with_tenths=True) == with_tenths
