"""Teaching from beginning to end: a library of made-up vectors, and one of real files with a small model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cavmae_sync.embedding import Embedder, video_inputs
from cavmae_sync.embedding.library import FillOptions, Library, LibraryConfig, add_to_library, open_library
from cavmae_sync.errors import ConfigError, DatasetError
from cavmae_sync.inputs import InputConfig
from cavmae_sync.media import write_video
from cavmae_sync.model import CAVMAESync, DecoderConfig, ModelConfig
from cavmae_sync.search import LibrarySearch, SearchOptions, class_query
from cavmae_sync.tasks.classification.classify_video import classify_video
from cavmae_sync.tasks.classification.features import features_of_inputs
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.teaching import Mark, Proposal, Taught, list_taught

from .made import content_of, made_library, planted


def answered(taught: Taught, proposals: tuple[Proposal, ...], says: Callable[[str, float], bool]) -> None:
    taught.add(
        Mark(
            content=each.content,
            start_seconds=each.start_seconds,
            stop_seconds=each.stop_seconds,
            is_match=says(each.content, each.start_seconds),
            reason=each.reason,
            probability=each.probability,
        )
        for each in proposals
    )


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return planted(tmp_path / "library", num_files=40, places=24, share=0.15, seed=3)[0]


def test_from_one_example_to_a_checked_probe(tmp_path: Path):
    library, truth = planted(tmp_path / "library", num_files=60, places=24, share=0.25, seed=3)

    def says(content: str, start: float) -> bool:
        return bool(truth[content][round(start / 1.5)])

    taught = Taught(library, "bell", sense="sound", moment_seconds=1.5)
    assert taught.state().status == "too_few"
    first = next(content for content in truth if truth[content].any())
    place = 1.5 * int(truth[first].argmax())
    taught.add([Mark(content=first, start_seconds=place, stop_seconds=place + 1.5, is_match=True)])
    assert {each.reason for each in taught.propose(10)} == {"sure", "random"}
    for _ in range(6):
        answered(taught, taught.propose(10), says)
    state = taught.fit()
    assert state.status == "checked", state
    while state.estimate.num_checks < 25:
        answered(taught, taught.propose(5, num_checks=5), says)
        state = taught.fit()
    estimate = state.estimate
    spans = [(each.content, each.start_seconds) for each in taught.ranked(400, least_probability=0.5)]
    marked = {(mark.content, mark.start_seconds) for mark in taught.marks() if mark.reason != "check"}
    right = [says(*span) for span in spans if span not in marked]
    assert estimate.num_rest == len(right)
    assert estimate.precision.low <= np.mean(right) <= estimate.precision.high
    assert np.mean(right) > 0.9
    assert estimate.num_found.low <= sum(map(says, *zip(*spans, strict=True))) <= estimate.num_found.high
    assert list_taught(library) == ["bell"]
    again = Taught(open_library(library.folder), "bell")  # as another process sees it
    assert again.state() == state
    wanted = taught.threshold_for(0.9)
    assert wanted is not None
    assert wanted.precision.width > estimate.precision.width


def test_the_probe_that_is_kept_says_the_same(library: Library, tmp_path: Path):
    taught = Taught(library, "bell", sense="both", moment_seconds=1.5)
    contents = [row.content for row in library.contents()]
    taught.add(
        Mark(content=each, start_seconds=0.0, stop_seconds=1.5, is_match=n % 2 == 0)
        for n, each in enumerate(contents[:12])
    )
    assert taught.fit().status == "unchecked"
    probe = Probe.load(taught.folder)
    assert (probe.classes, probe.loss, probe.features.length) == (("bell",), "bce", "unit")
    moments = taught.moments()
    rows_nD = torch.from_numpy(moments.features(np.arange(len(moments)))).float()
    wanted = probe.probabilities(rows_nD[:, None])[:, 0].numpy()
    ranked = taught.ranked(10_000)
    number = {(moments.span(n).content, moments.span(n).start_seconds): n for n in range(len(moments))}
    for each in ranked:
        found = wanted[number[each.content, each.start_seconds]]
        assert each.probability == pytest.approx(found, abs=1e-5)
    query = class_query(library.record, probe, "bell")
    found = LibrarySearch(library).search(query, SearchOptions(num_hits=1))
    assert (found.about, len(found.hits)) == ("class 'bell'", 1)
    taught.undo([mark.id for mark in taught.marks()[:8]])
    assert taught.fit().status == "too_few"
    assert not taught.probe_path.exists()
    with pytest.raises(ConfigError, match=r"too few marks for a probe\. Mark 3 more yes, 3 more no"):
        taught.probe()


def test_checks_are_not_learned_from_until_asked(library: Library):
    taught = Taught(library, "bell", sense="picture", moment_seconds=1.5)
    contents = [row.content for row in library.contents()]
    taught.add(
        Mark(content=each, start_seconds=0.0, stop_seconds=1.5, is_match=n % 2 == 0)
        for n, each in enumerate(contents[:12])
    )
    before = taught.fit()
    probe = Probe.load(taught.folder)
    answered(taught, taught.propose(12, num_checks=12), lambda *_: False)
    state = taught.fit()
    assert state.counts.num_checks == 12
    assert (state.estimate.num_checks, state.estimate.num_right) == (12, 0)
    assert state.estimate.precision.low == 0
    assert torch.equal(Probe.load(taught.folder).head.classify.weight, probe.head.classify.weight)
    assert taught.learn_checks() == 12
    state = taught.fit()
    assert (state.counts.num_checks, state.counts.num_no) == (0, before.counts.num_no + 12)
    assert state.estimate.precision is None
    assert "checks are made" in state.reason


def test_what_is_marked_is_not_proposed_again(library: Library):
    taught = Taught(library, "bell", sense="sound", moment_seconds=1.5)
    seen: set[tuple[str, float]] = set()
    for number in range(8):
        proposals = taught.propose(10)
        assert len(proposals) == 10
        spans = {(each.content, each.start_seconds) for each in proposals}
        assert not spans & seen
        seen |= spans
        answered(taught, proposals, lambda content, _: int(content[:2], 16) % 3 == 0)
        files = {each.content for each in proposals if each.reason == "uncertain"}
        assert len(files) == sum(each.reason == "uncertain" for each in proposals)
        assert any(each.reason == "check" for each in proposals) == (number >= 2) or number < 4


def test_marks_follow_files_and_say_when_they_are_elsewhere(tmp_path: Path, library: Library):
    taught = Taught(library, "bell", sense="sound", moment_seconds=1.5)
    taught.add([Mark(content=content_of("nowhere.mp4"), start_seconds=0, stop_seconds=1, is_match=True)])
    counts = taught.state().counts
    assert (counts.num_yes, counts.num_elsewhere) == (0, 1)
    with pytest.raises(ConfigError, match="needs a yes and a no"):
        taught.ranked()


def test_names_and_senses_that_cannot_be(library: Library):
    for name in ("", "..", "a/b", ".hidden", "x" * 200, "line\nbreak", "what?", "blank ", "-dash"):
        with pytest.raises(ConfigError, match="cannot be taught"):
            Taught(library, name, sense="sound")
    with pytest.raises(ConfigError, match="There is no taught class 'bell'"):
        Taught(library, "bell")
    Taught(library, "bell", sense="sound")
    with pytest.raises(ConfigError, match="begun with the sense sound, not picture"):
        Taught(library, "bell", sense="picture")
    with pytest.raises(ConfigError, match=r"moments of 2 s, not 5 s"):
        Taught(library, "bell", moment_seconds=5.0)
    with pytest.raises(ConfigError, match="in capital letters alone"):
        Taught(library, "Bell", sense="sound")


def test_links_that_lead_out_are_refused(library: Library, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (library.folder / "taught").mkdir()
    (library.folder / "taught" / "bell").symlink_to(tmp_path / "outside")
    with pytest.raises(DatasetError, match="leads out"):
        Taught(library, "bell", sense="sound")
    assert list((tmp_path / "outside").iterdir()) == []
    odd = library.folder / "taught" / "what?"
    odd.mkdir()
    (odd / "taught.json").write_text("{}")
    assert list_taught(library) == []


def test_a_library_that_grows_is_seen(tmp_path: Path):
    library, _ = planted(tmp_path / "library", num_files=4, places=12, share=0.2, seed=0)
    taught = Taught(library, "bell", sense="sound", moment_seconds=1.5)
    before = taught.state().num_moments
    planted(tmp_path / "library", num_files=6, places=12, share=0.2, seed=0)
    assert taught.state().num_moments == before * 6 // 4


def film(path: Path, *, seed: int, moves: bool) -> None:
    generator = np.random.default_rng(seed)
    tiles = generator.integers(0, 256, (20 if moves else 1, 4, 4, 3), dtype=np.uint8)
    tiles = tiles if moves else tiles.repeat(20, axis=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = generator.uniform(-0.3, 0.3, 32_000).astype(np.float32)
    frames = tiles.repeat(8, axis=1).repeat(8, axis=2)
    write_video(path, frames, frames_per_second=10, waveform_S=sound)


@pytest.fixture(scope="module")
def small_embedder() -> Embedder:
    config = ModelConfig(
        inputs=InputConfig(frame_pixels=16, segment_length=16, alignment="centered"),
        width=16, depth=1, heads=2, registers=1, decoder=DecoderConfig(width=8, depth=1, heads=2),
    )  # fmt: skip
    return Embedder(CAVMAESync(config, generator=torch.Generator().manual_seed(0)), device="cpu")


@pytest.mark.parametrize("sense", ["picture", "both"])
def test_classify_says_the_same_of_a_file(small_embedder: Embedder, tmp_path: Path, sense):
    """Vectors are made anew. `classify` looks at other times: of a still picture they are the same."""
    moves = sense == "both"
    for seed in range(12):
        film(tmp_path / "footage" / f"{seed:02}.mp4", seed=seed, moves=moves)
    library = tmp_path / "library"
    add_to_library(
        small_embedder,
        tmp_path / "footage",
        out=library,
        config=LibraryConfig(clip_seconds=2.0, num_frames=4),
        options=FillOptions(num_workers=0),
    )
    taught = Taught(open_library(library), "noise", sense=sense, moment_seconds=2.0)
    contents = [row.content for row in taught.library.files()]
    taught.add(
        Mark(content=content, start_seconds=0.0, stop_seconds=2.0, is_match=number % 2 == 0)
        for number, content in enumerate(contents)
        if content is not None
    )
    state = taught.fit()
    assert (state.status, state.note) == ("unchecked", "")
    ranked = {each.places[0].path: each.probability for each in taught.ranked()}
    assert max(ranked.values()) - min(ranked.values()) > 0.1
    probe = Probe.load(taught.folder)
    for name in ("00.mp4", "01.mp4"):
        file = tmp_path / "footage" / name
        rule = taught.library.config.rule
        ((_, inputs),) = video_inputs(
            small_embedder.model.config.inputs, file, clip_seconds=2.0, num_frames=4, sampling=rule
        )
        features_TD = features_of_inputs(small_embedder, inputs, probe.features)
        # Libraries keep vectors in float16.
        assert float(probe.probabilities(features_TD[None])) == pytest.approx(ranked[name], abs=2e-3)
        found = classify_video(small_embedder, probe, file, clip_seconds=2.0, num_frames=4)
        if not moves:
            assert found.clips.probabilities_NC[0, 0] == pytest.approx(ranked[name], abs=2e-3)


def test_a_probe_on_vectors_of_others_says_what_it_is_for(library: Library):
    taught = Taught(library, "bell", sense="sound")
    assert "reads vectors of made up" in taught.state().note


def test_silent_moments_are_not_judged(tmp_path: Path):
    library = made_library(tmp_path / "library", silent={"0.mp4": {0}})
    taught = Taught(library, "bell", sense="sound", moment_seconds=2.0)
    picture = Taught(library, "bird", sense="picture", moment_seconds=2.0)
    assert picture.state().num_moments - taught.state().num_moments == 1
