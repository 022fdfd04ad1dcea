"""Which file is which clip: the rules of names, hand-worked."""

import pytest

from cavmae_sync.data.lists import WantedClip, match_names
from cavmae_sync.errors import DatasetError

V = "-0Gj8-vB1q4"
VGGSOUND = WantedClip(id=f"{V}_000030")
AUDIOSET = WantedClip(id=V, start_seconds=30.0)
BARE = WantedClip(id=V)


@pytest.mark.parametrize(
    ("name", "wanted", "rule"),
    [
        (f"{V}_000030", VGGSOUND, "same path"),
        (f"test/{V}_000030", VGGSOUND, "same name"),
        (f"{V}_30", VGGSOUND, "start in seconds"),
        (f"{V}_30.000", VGGSOUND, "start in seconds"),
        (f"{V}_30.000_40.000", VGGSOUND, "start in seconds"),
        (f"{V}_30000", VGGSOUND, "start in milliseconds"),
        (f"a/b/Y{V}_30000_40000", VGGSOUND, "Y + start in milliseconds"),
        (V, VGGSOUND, "video alone"),
        (f"Y{V}", VGGSOUND, "Y + video alone"),
        (f"{V}@30.000", VGGSOUND, "cut from the video"),
        (f"{V}_30@0.000", VGGSOUND, "start in seconds"),
        (f"{V}_000030.mp4", VGGSOUND, "same path"),
        (f"test/{V}_000030.MKV", VGGSOUND, "same name"),
        (f"{V}_30.000.webm", VGGSOUND, "start in seconds"),
        (f"{V}.mp4@30.000", VGGSOUND, "cut from the video"),
        (f"{V}.mp4.txt", VGGSOUND, None),
        ("dog.mp4", WantedClip(id="dog.mp4"), "same path"),
        (f"{V}_31", VGGSOUND, None),
        (f"{V}_30@10.000", VGGSOUND, None),
        (f"{V}@20.000", VGGSOUND, None),
        (f"{V}_abc", VGGSOUND, None),
        (V.lower(), VGGSOUND, None),
        (V, AUDIOSET, "same path"),
        (f"{V}_000030", AUDIOSET, "start in seconds"),
        (f"{V}_30.000", AUDIOSET, "start in seconds"),
        (f"Y{V}", AUDIOSET, "Y + video alone"),
        (f"{V}_50.000", AUDIOSET, None),
        (f"{V}@30.000", AUDIOSET, "cut from the video"),
        (f"{V}_50.000", BARE, "start not checked"),
        (f"{V}@0.000", BARE, None),
        ("X" + V, AUDIOSET, None),
        ("", AUDIOSET, None),
    ],
)
def test_rules(name: str, wanted: WantedClip, rule: str | None):
    matches = match_names([name], [wanted])
    assert matches.rule_of == (rule,)
    assert matches.wanted_of == (None if rule is None else 0,)
    assert matches.by_rule == ({} if rule is None else {rule: 1})


def test_the_better_name_wins_and_the_other_is_spare():
    matches = match_names([f"Y{V}_30", V, "other"], [VGGSOUND])
    assert matches.wanted_of == (0, None, None)
    assert (matches.num_spare, matches.by_rule) == (1, {"Y + start in seconds": 1})


def test_a_clip_beside_a_file_of_the_same_name_is_found():
    """Preparation calls them `V.mp4` and `V.wav`; what has no pictures is not among the clips."""
    assert match_names([f"{V}_30.mp4", "other.wav"], [VGGSOUND]).wanted_of == (0, None)
    with pytest.raises(DatasetError, match=rf"could be {V}_30.mp4 or {V}_30.webm"):
        match_names([f"{V}_30.mp4", f"{V}_30.webm"], [VGGSOUND])


def test_two_files_of_one_clip_by_one_rule_are_an_error():
    with pytest.raises(DatasetError, match=rf"'{V}_000030' could be a/{V}_30 or b/{V}_30"):
        match_names([f"a/{V}_30", f"b/{V}_30"], [VGGSOUND])


def test_a_video_that_could_be_two_clips_is_an_error():
    with pytest.raises(DatasetError, match=rf"{V} could be 2 clips of the list: .*_000030, .*_000100"):
        match_names([V], [VGGSOUND, WantedClip(id=f"{V}_000100")])


def test_an_unchecked_start_never_beats_a_checked_one():
    """Of three stretches of a video, only the one of the list is taken."""
    names = [f"{V}_{start}.000" for start in (0, 30, 60)]
    assert match_names(names, [VGGSOUND]).wanted_of == (None, 0, None)


def test_each_way_to_name_a_whole_archive():
    """Starts up to 1000 s, in every way to write them; rows never meet each other's files."""
    starts = [0, 1, 9, 10, 30, 99, 100, 250, 999, 1000]
    wanted = [WantedClip(id=f"{V}_{start:06d}") for start in starts]
    for form in ("{s}", "{s:06d}", "{s}.000", "{s}.000_{e}.000", "{ms}", "{ms}_{me}"):
        names = [
            f"{V}_" + form.format(s=s, e=s + 10, ms=1000 * s, me=1000 * (s + 10)) for s in starts if s != 1000
        ]
        found = match_names(names, wanted)
        expected = [starts.index(s) for s in starts if s != 1000]
        # 1000 ms, without a unit, is what 1000 s would be called.
        if form in {"{ms}", "{ms}_{me}"}:
            expected[1] = starts.index(1000)
        assert list(found.wanted_of) == expected
