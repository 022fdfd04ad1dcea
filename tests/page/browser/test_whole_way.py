"""From a question to an export by keys alone; from marks to a class; for screen readers; in all sizes."""

import re
from pathlib import Path

import opentimelineio as otio
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from cavmae_sync.embedding.library import open_library
from cavmae_sync.media import probe, read_clip
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.teaching import Taught

from ..served import Served
from .conftest import wait_until

FOUND = 60_000
SIZES = (390, 1280, 2560)
COUNTED = "document.querySelector('#teaching .note').textContent.match(/[0-9]+/g)"
COUNTED += ".reduce((a, b) => a + Number(b), 0)"


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_from_start_to_export_by_keyboard_alone(page: Page, served: Served, tmp_path: Path):
    page.on("filechooser", lambda _: None)  # the browser takes a moment to hand it over
    page.wait_for_timeout(500)
    press(page, "/")
    wait_until(page, "document.activeElement.id === 'ask-choose'")
    with page.expect_file_chooser() as choosing:
        press(page, "Enter")
    choosing.value.set_files(served.footage / "numbered 25.mp4")
    expect(page.locator(".hit").first).to_be_visible(timeout=FOUND)
    press(page, "ArrowDown")
    wait_until(page, "document.querySelector('video').readyState >= 2")
    press(page, "k", "Home", "ArrowRight", "ArrowRight", "i")
    for _ in range(9):
        press(page, "ArrowRight")
    press(page, "o", "Enter")
    expect(page.locator("#tray")).to_contain_text("1 moment selected")
    press(page, "ArrowDown", "Enter", "e")
    expect(page.get_by_role("dialog")).to_contain_text("numbered 25.mp4")
    with page.expect_download() as downloading:
        press(page, "Tab", "Tab", "Enter")
    file = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(file)
    assert file.name == "Selected moments.otio"
    clips = list(otio.adapters.read_from_file(str(file)).find_clips())
    first = clips[0].source_range
    assert (first.start_time.value, first.duration.value, first.start_time.rate) == (2, 10, 25)
    assert "numbered%2025.mp4" in clips[0].media_reference.target_url
    press(page, "Escape", "?")
    expect(page.get_by_role("dialog")).to_contain_text("play backwards")
    press(page, "Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("name", ["fcp7", "fcpxml", "edl", "resolve-edl", "csv", "html"])
def test_every_format_is_downloaded(page: Page, served: Served, name: str, tmp_path: Path):
    page.set_input_files("#ask-file", served.footage / "numbered 29.97.mp4")
    page.locator(".hit input").first.check(timeout=FOUND)
    page.click("#tray-export")
    page.select_option("#export-format", name)
    with page.expect_download() as downloading:
        page.click("#export-save")
    downloading.value.save_as(tmp_path / "out")
    text = (tmp_path / "out").read_text("utf-8")
    assert "numbered" in text
    if name == "html":
        assert re.search(r"[0-9a-f]{64}", text)
        assert "numbered 29.97.mp4" in text
        assert not re.search(r"""(src|href)=["']?https?://""", text)


def test_a_clip_is_cut_to_a_file(page: Page, served: Served, tmp_path: Path):
    page.set_input_files("#ask-file", served.footage / "numbered 25.mp4")
    page.locator(".open").first.click(timeout=FOUND)
    wait_until(page, "document.querySelector('video').readyState >= 2")
    press(page, "k", "Home")
    press(page, "ArrowRight", "i", *["ArrowRight"] * 11, "o")
    with page.expect_download() as downloading:
        page.click("#viewer-cut")
    cut = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(cut)
    assert cut.suffix == ".mp4"
    assert probe(cut).duration_seconds == pytest.approx(12 / 25, abs=0.05)
    assert read_clip(cut, num_frames=1, sampling="uniform_start").frames_THWC.shape[1:] == (64, 96, 3)


@pytest.mark.long
def test_marks_become_a_class(page: Page, served: Served):
    """The oracle says yes to the films and no to what is numbered."""
    page.click("#open-teach")
    page.fill("#teach-name", "a/b")
    page.click("#teach-start")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("letters, digits")
    page.fill("#teach-name", "Tiles")
    page.select_option("#teach-sense", "picture")
    page.focus("#teach-name")
    press(page, "Enter")
    expect(page.locator("#teaching")).to_contain_text("Teaching “Tiles”")
    marks = 0
    for _ in range(6):
        if page.locator("#teach-ranked").is_enabled():
            break
        with page.expect_response(re.compile("/next")):
            page.click("#teach-next")
        expect(page.locator('.marks [aria-pressed="true"]')).to_have_count(0, timeout=FOUND)
        for place in range(min(page.locator(".hit").count(), 8)):
            row = page.locator(".hit").nth(place)
            is_film = "film" in (row.locator("xpath=ancestor::article//h3").text_content() or "")
            row.get_by_role("button", name=re.compile("^Yes, " if is_film else "^No, not ")).click()
            expect(row.locator('[aria-pressed="true"]')).to_have_count(1)
            marks += 1
        # Checks, up to four of a round, are not learned from and do not count.
        wait_until(page, f"{COUNTED} >= {marks - 4}")
    expect(page.locator("#teach-ranked")).to_be_enabled()
    before = page.locator("#teaching .note").first.text_content()
    press(page, "u")
    expect(page.locator("#teaching .note").first).not_to_have_text(before or "")
    page.click("#teach-ranked")
    expect(page.locator(".group h3").first).to_have_text(re.compile("film 1"), timeout=FOUND)
    expect(page.locator("#teaching")).to_contain_text("cavmae-sync classify FILE --probe")
    taught = Taught(open_library(served.library), "Tiles")
    assert Probe.load(taught.probe_path).classes == ("Tiles",)
    assert {mark.is_match for mark in taught.marks()} == {True, False}
    with page.expect_download() as downloading:
        page.get_by_text("Marks as CSV").click()
    assert "film" in Path(downloading.value.path()).read_text("utf-8")


def accessible(page: Page, state: str) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, f"{state}: {found.generate_report()}"


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_every_state_is_accessible_and_fits_every_width(
    browser: Browser, served: Served, scheme: str, tmp_path: Path
):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(served.address)
    wait_until(page, "document.querySelector('#status-line').textContent !== ''")
    accessible(page, "start")
    page.set_input_files("#ask-file", served.footage / "numbered 25.mp4")
    page.locator(".open").first.click(timeout=FOUND)
    wait_until(page, "document.querySelector('video').readyState >= 2")
    press(page, "k", "Enter")
    page.get_by_text("Why it was found").click()
    page.get_by_text("Filters").click()
    expect(page.locator(".matrix").first).to_be_visible()
    accessible(page, "results and player")
    for width in SIZES:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        page.screenshot(path=tmp_path / f"{width}-{scheme}.png")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    for button in ("#open-library", "#open-teach", "#open-help", "#tray-export"):
        page.click(button)
        expect(page.get_by_role("dialog")).to_be_visible()
        accessible(page, button)
        press(page, "Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        focused = page.evaluate("() => '#' + document.activeElement.id")
        assert focused == button
    page.click("#viewer-box")
    accessible(page, "box")
    context.close()


def test_what_was_trimmed_stays_and_evidence_names_its_question(page: Page, served: Served, tmp_path: Path):
    page.set_input_files("#ask-file", served.footage / "films" / "film 12.mp4")
    page.locator(".open").first.click(timeout=FOUND)
    wait_until(page, "document.querySelector('video').readyState >= 2")
    press(page, "k", "Home", *["ArrowRight"] * 4, "i", "Enter", "ArrowDown", "ArrowUp")
    expect(page.locator("#viewer .spans .timecode").first).to_have_text("00:00:00:04")
    page.set_input_files("#ask-file", served.footage / "films" / "film 15.mp4")
    expect(page.locator(".group h3").first).to_have_text("films/film 15.mp4", timeout=FOUND)
    page.click("#tray-export")
    page.select_option("#export-format", "html")
    with page.expect_download() as downloading:
        page.click("#export-save")
    downloading.value.save_as(tmp_path / "evidence.html")
    evidence = (tmp_path / "evidence.html").read_text("utf-8")
    assert "video film 12.mp4" in evidence
    assert "film 15" not in evidence
    press(page, "Escape")
    page.locator(".hit input").first.check()
    page.click("#tray-export")
    page.select_option("#export-format", "html")
    with page.expect_download() as downloading:
        page.click("#export-save")
    downloading.value.save_as(tmp_path / "both.html")
    assert "video film 1" not in (tmp_path / "both.html").read_text("utf-8")


def test_quick_keys_mark_one_moment_each(page: Page, served: Served):
    page.click("#open-teach")
    page.fill("#teach-name", "Quick")
    page.select_option("#teach-sense", "picture")
    page.click("#teach-start")
    with page.expect_response(re.compile("/next")):
        page.click("#teach-next")
    expect(page.locator(".hit.current")).to_be_visible()
    page.locator("#results").focus()
    press(page, "y", "n", "y")
    wait_until(page, f"{COUNTED} >= 3")
    pressed = [each.get_attribute("data-mark") for each in page.locator('.marks [aria-pressed="true"]').all()]
    assert pressed == ["true", "false", "true"]
    page.click("#open-teach")
    page.fill("#teach-name", "Other")
    page.click("#teach-start")
    expect(page.locator("#teaching")).to_contain_text("Teaching “Other”")
    assert page.locator("#results .marks").count() == 0
