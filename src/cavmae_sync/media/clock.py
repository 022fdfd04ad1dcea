"""Text of times, as players show them."""

import math


def clock(seconds: float, *, with_tenths: bool = False) -> str:
    """Text of a time: minutes and seconds, and hours where there are any; half a unit is rounded up.

    Args:
        seconds: From the start; below 0 counts as 0.
        with_tenths: Show tenths of a second, where there are any.

    >>> clock(83.5), clock(3725.5), clock(4.66, with_tenths=True), clock(65, with_tenths=True)
    ('1:24', '1:02:06', '0:04.7', '1:05')
    """
    per_second = 10 if with_tenths else 1
    whole, tenths = divmod(max(math.floor(seconds * per_second + 0.5), 0), per_second)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f"{text}.{tenths}" if tenths else text
