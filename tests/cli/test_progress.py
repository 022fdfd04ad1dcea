"""Progress on standard error, in a log."""

import pytest

from cavmae_sync.cli.progress import show_progress


def test_progress_in_a_log_says_once_that_it_is_done(capsys: pytest.CaptureFixture[str]):
    with show_progress("clips") as advance:
        for done, total in ((0, 0), (0, 0), (1, 2), (2, 2), (2, 2)):
            advance(done, total)
    assert capsys.readouterr().err.splitlines() == ["clips: 0/0, 0 s", "clips: 2/2, 0 s"]
