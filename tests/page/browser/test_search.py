"""Questions by file, microphone, span and box; frames that are shown; states without results."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from cavmae_sync.embedding.library import open_library
from cavmae_sync.embedding.library.record import claim_library
from cavmae_sync.media.playback import playback

from ..served import Served, number_on, serving
from .conftest import RATES, wait_until

FOUND = 60_000
#: Digits of the frame that the video element shows, from its upper edge.
READ_FRAME = """
() => {
  const video = document.querySelector("video"), canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  return [...context.getImageData(0, Math.round(12 * canvas.height / 64), canvas.width, 1).data];
}
"""


def ask_by_file(page: Page, served: Served, name: str, kind: str = "") -> None:
    page.select_option("#ask-kind", kind)
    page.set_input_files("#ask-file", served.footage / name)
    expect(page.locator(".hit").first).to_be_visible(timeout=FOUND)


def open_file(page: Page, name: str) -> None:
    page.click("#ask-browse")
    page.fill("#file-filter", name)
    page.get_by_role("button", name=f"Open {name}").first.click()
    expect(page.locator("#viewer h2")).to_have_text(name)
    wait_until(page, "document.querySelector('video').readyState >= 2")


def shown_number(page: Page) -> int:
    return number_on(np.array(page.evaluate(READ_FRAME), np.uint8).reshape(-1, 4)[:, :3])


@pytest.mark.parametrize("kind", ["", "sound", pytest.param("picture", marks=pytest.mark.long)])
def test_a_file_finds_itself(page: Page, served: Served, kind: str):
    if kind == "picture":
        open_file(page, "films/film 13.mp4")
        page.keyboard.press("k")
        page.keyboard.press("p")
    else:
        ask_by_file(page, served, "films/film 13.mp4", kind)
    expect(page.locator(".group h3").first).to_have_text(re.compile(r"film 1\d|numbered"), timeout=FOUND)
    if kind != "picture":  # a moment of the library does not find itself
        expect(page.locator(".group h3").first).to_have_text("films/film 13.mp4")
        expect(page.locator(".hit .sure").first).to_have_text(re.compile(r"\d %\)"))
        expect(page.locator(".hit .when").first).to_have_text(re.compile("0:00.0"))
    assert page.locator(".strip").count() == page.locator(".group").count()


@pytest.mark.parametrize("rate", RATES)
def test_the_frame_that_is_shown_is_that_of_the_decoder(page: Page, served: Served, rate: str):
    name = f"numbered {rate}.mp4"
    open_file(page, name)
    page.keyboard.press("k")
    decoded = [number_on(frame[12]) for frame in playback(served.footage / name).frames()]
    assert decoded == [number % 256 for number in range(len(decoded))]
    wanted = [0, 1, 2, 23, 24, 30, 59, len(decoded) - 1]
    for number in wanted:
        page.evaluate(
            "async (n) => { const { player } = await import('/static/viewer.js');"
            " player().pause(); player().showFrame(n); }",
            number,
        )
        wait_until(page, "!document.querySelector('video').seeking")
        assert shown_number(page) == decoded[number]
        assert page.locator("#viewer .timecode").first.get_attribute("data-frame") == str(number)
    page.keyboard.press("Home")
    for expected in (1, 2, 3, 2):
        page.keyboard.press("ArrowRight" if expected != 2 or shown_number(page) == 1 else "ArrowLeft")
        wait_until(page, "!document.querySelector('video').seeking")
        assert shown_number(page) == expected
    page.keyboard.press("Space")
    wait_until(page, "document.querySelector('video').currentTime > 0.4")
    page.keyboard.press("k")
    wait_until(page, "!document.querySelector('video').seeking")
    said = int(page.locator("#viewer .timecode").first.get_attribute("data-frame") or -1)
    assert shown_number(page) == said


def test_the_microphone_asks(page: Page):
    page.click("#ask-record")
    expect(page.locator("#ask-record")).to_have_text(
        re.compile(r"Stop and search \(Recording, [1-9]"), timeout=FOUND
    )
    page.click("#ask-record")
    expect(page.locator(".hit").first).to_be_visible(timeout=FOUND)
    expect(page.locator("#results .note").first).to_have_text(re.compile("^sound Record"))


def test_a_span_of_the_waveform_and_a_box_in_the_frame_ask(page: Page, served: Served):
    open_file(page, "films/film 14.mp4")
    page.keyboard.press("k")
    wave = page.locator(".wave-slider").bounding_box()
    assert wave is not None
    page.mouse.move(wave["x"] + wave["width"] * 0.25, wave["y"] + 20)
    page.mouse.down()
    page.mouse.move(wave["x"] + wave["width"] * 0.75, wave["y"] + 20, steps=4)
    page.mouse.up()
    expect(page.locator("#viewer .spans .timecode").last).to_have_text(re.compile(r"^2\.0"))
    page.click("#like-sound")
    expect(page.locator("#results .note").first).to_have_text(re.compile("film 14.mp4 from 1"), timeout=FOUND)
    page.click("#viewer-box")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#results .note").first).to_have_text(
        re.compile("part of the frame of"), timeout=FOUND
    )
    expect(page.locator(".group h3").first).to_have_text(re.compile("film|numbered"))
    page.go_back()
    expect(page.locator("#results .note").first).to_have_text(re.compile("film 14.mp4 from 1"))


def test_what_is_behind_a_result(page: Page, served: Served):
    ask_by_file(page, served, "films/film 15.mp4")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#viewer h2")).to_have_text("films/film 15.mp4")
    page.get_by_text("Why it was found").click()
    expect(
        page.get_by_role("img", name=re.compile("sound of the question, sound of the file"))
    ).to_be_visible()
    page.get_by_text("Do sound and picture belong together?").click()
    expect(page.locator(".later-body").last).to_contain_text(re.compile("judged|belong"), timeout=FOUND)
    page.keyboard.press("k")
    page.keyboard.press("m")
    expect(page.locator("canvas.overlay")).to_be_visible(timeout=FOUND)
    page.keyboard.press("Escape")
    expect(page.locator("canvas.overlay")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()


def test_nothing_matches_has_a_face_of_its_own(page: Page, served: Served):
    ask_by_file(page, served, "films/film 16.mp4")
    page.get_by_text("Filters").click()
    page.locator("#ask-cutoff").fill("99.9")
    page.select_option("#ask-root", index=1)
    page.fill("#ask-folder", "no such folder")
    page.locator("#ask-folder").press("Enter")
    expect(page.locator(".head.nothing h2")).to_have_text("Nothing here matches.", timeout=FOUND)
    expect(page.locator("#live")).to_have_text("Nothing here matches.")


def test_errors_are_sentences(page: Page, served: Served, tmp_path):
    page.expected_errors.append("422")  # type: ignore[attr-defined]
    bad = tmp_path / "<b>bad<b>.mp4"
    bad.write_bytes(b"nothing")
    page.set_input_files("#ask-file", bad)
    expect(page.locator("#ask-said")).to_have_text(re.compile("is not a media file"), timeout=FOUND)
    assert page.locator("#ask-said b").count() == 0
    page.route("**/api/search/**", lambda route: route.abort())
    page.expected_errors.append("ERR_FAILED")  # type: ignore[attr-defined]
    page.set_input_files("#ask-file", served.footage / "films" / "film 10.mp4")
    expect(page.locator("#ask-said")).to_have_text(re.compile("does not answer"))
    page.click("#open-library")
    page.get_by_text("Files that cannot be used (1)").click()
    expect(page.locator(".failures")).to_contain_text("broken.mp4")
    page.fill("#add-path", "no/such/folder")
    page.click("#add-folder")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text(
        re.compile("no folder on this machine")
    )


def test_an_empty_library_says_what_to_do(browser: Browser, served: Served, tmp_path: Path):
    claim_library(tmp_path / "empty", open_library(served.library).record)
    with serving(tmp_path, tmp_path / "empty", served.embedder) as made:
        page = browser.new_page()
        page.goto(made.address)
        expect(page.get_by_role("heading", name="This library is empty")).to_be_visible(timeout=FOUND)
        page.get_by_role("button", name="Add a folder").click()
        expect(page.locator("#add-path")).to_be_focused()
        page.close()


def test_what_is_dropped_or_pasted_asks(page: Page, served: Served):
    content = base64.b64encode((served.footage / "films" / "film 11.mp4").read_bytes()).decode()
    hand_over = """
    ([kind, content]) => {
      const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], "film 11.mp4", {type: "video/mp4"}));
      const how = {bubbles: true, cancelable: true};
      const event = kind === "drop" ? new DragEvent("drop", {...how, dataTransfer: data})
        : new ClipboardEvent("paste", {...how, clipboardData: data});
      document.body.dispatchEvent(event);
    }
    """
    for kind in ("drop", "paste"):
        page.evaluate(hand_over, [kind, content])
        expect(page.locator(".group h3").first).to_have_text("films/film 11.mp4", timeout=FOUND)
        page.reload()
        wait_until(page, "document.querySelector('#status-line').textContent !== ''")
