"""Addresses behind the page: questions from the library, views, exports, adding folders; and fuzz."""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cavmae_sync.embedding.library import open_library
from cavmae_sync.errors import ConfigError
from cavmae_sync.media import write_video
from cavmae_sync.page.guard import LOOPBACK, Access
from cavmae_sync.page.pictures import Pictures
from cavmae_sync.page.service import SearchService
from cavmae_sync.page.views import agreement_of
from cavmae_sync.page.worker import LimitedWorker
from cavmae_sync.search import LibrarySearch

from .conftest import Asked
from .served import make_film, serving


def contents(service: Asked) -> dict[str, str]:
    return {row.path: row.content or "" for row in open_library(service.library).files()}


def test_a_frame_and_a_part_of_it_ask(service: Asked):
    content = contents(service)["1.mp4"]
    whole = service.post("/api/frame", content=content, seconds=1.25, by="picture", top=1).json
    assert whole["hits"][0]["places"][0]["path"] == "1.mp4"
    assert whole["hits"][0]["picture"] == pytest.approx(1, abs=0.01)
    part = service.post("/api/frame", content=content, seconds=1.25, box="0,0,0.5,0.5", by="picture").json
    assert part["about"] == "part of the frame of 1.mp4 at 1.25 s"
    assert part["hits"][0]["picture"] < whole["hits"][0]["picture"]
    assert (
        "left,top,width,height"
        in service.post("/api/frame", content=content, seconds=0, box="1,1,1,1").json["error"]
    )


def test_a_question_is_asked_again_with_other_options(service: Asked):
    content = contents(service)["2.mp4"]
    asked = {"content": content, "start_seconds": 0.5, "stop_seconds": 1.5}
    first = service.post("/api/like", **asked, senses=["picture"], top=2).json
    assert first["by"] == "picture"
    again = service.post(f"/api/queries/{first['query']}", by="sound", top=5).json
    assert (again["by"], again["query"]) == ("sound", first["query"])
    assert len(again["hits"]) > len(first["hits"])
    assert service.post("/api/queries/none").status == 404


def test_the_strip_and_the_similarity_are_those_of_the_search(service: Asked):
    """By hand from the stored vectors."""
    content = contents(service)["3.mp4"]
    asked = {"content": content, "start_seconds": 0.5, "stop_seconds": 1.5, "senses": ["sound"]}
    found = service.post("/api/like", **asked).json
    strip = service("GET", f"/api/queries/{found['query']}/strip?content={content}&by=sound").json
    search = LibrarySearch(open_library(service.library))
    number = search.timelines.number[content]
    first, count = int(search.timelines.first_C[number]), int(search.timelines.count_C[number])
    rows = np.asarray(search.timelines.mapped("audio")[first : first + count], np.float32)
    by_hand = [float((rows[i : i + 2] * rows[1:3]).sum(axis=1).mean()) for i in range(count - 1)]
    inside = [at for at, start in enumerate(strip["start_seconds"]) if 0 <= start <= 2.0]
    scores = np.array(strip["score"])[inside]
    assert np.argsort(scores).tolist() == np.argsort(by_hand).tolist()
    assert strip["start_seconds"][inside[int(np.argmax(by_hand))]] == pytest.approx(0.5)
    table = service(
        "GET", f"/api/queries/{found['query']}/similarity?content={content}&start_seconds=0.5"
    ).json
    values = next(each["values"] for each in table["cosines"] if each["file"] == "audio")
    np.testing.assert_allclose(values, rows[1:3] @ rows.T, atol=2e-4)
    visual = np.asarray(search.timelines.mapped("visual")[first : first + count], np.float32)
    np.testing.assert_allclose(table["own"], rows @ visual.T, atol=2e-4)


def test_agreement_is_that_of_the_stored_vectors(service: Asked):
    search = LibrarySearch(open_library(service.library))
    content = contents(service)["0.mp4"]
    by_hand = agreement_of(search.timelines, search.timelines.number[content], window_seconds=0.5)
    answer = service("GET", f"/api/contents/{content}/agreement").json
    assert answer["verdict"] == by_hand["verdict"]
    assert answer["reason"] == "too short"
    assert len(answer["seconds"]) == 3


def test_facts_files_and_waveforms(service: Asked):
    content = contents(service)["0.mp4"]
    facts = service("GET", f"/api/contents/{content}").json
    assert (facts["source"]["rate"], facts["source"]["num_frames"]) == ([10, 1], 30)
    assert facts["places"] == [{"root": "footage", "path": "0.mp4", "is_offline": False}]
    listed = service("GET", "/api/contents?text=2.MP").json
    assert [file["path"] for file in listed["files"]] == ["2.mp4"]
    assert len(service("GET", f"/api/contents/{content}/peaks?start_seconds=0.5&stop_seconds=1").json) == 200


def test_an_export_says_how_it_was_found(service: Asked):
    content = contents(service)["1.mp4"]
    found = service.send("sound", (service.footage / "1.mp4").read_bytes()).json
    hit = found["hits"][0]
    moment = {key: hit[key] for key in ("content", "start_seconds", "stop_seconds", "sound", "picture")}
    html = service.post("/api/export", format="html", moments=[moment], query=found["query"]).body.decode()
    assert content in html
    assert "sound query.mp4" in html
    for row in service("GET", "/api/formats").json:
        answer = service.post("/api/export", format=row["name"], moments=[moment])
        assert answer.status == 200, answer.body
        assert answer.headers["content-disposition"].endswith(f'{row["suffix"]}"')
    cut = service("GET", f"/api/contents/{content}/cut?start_seconds=0.5&stop_seconds=1.5")
    assert cut.body[4:8] == b"ftyp"


def test_a_folder_is_added_while_it_is_served(service: Asked, tmp_path_factory: pytest.TempPathFactory):
    more = tmp_path_factory.mktemp("more")
    make_film(more / "more.mp4", seed=50)
    assert "no folder on this machine" in service.post("/api/folders", path="footage").json["error"]
    began = service.post("/api/folders", path=str(more))
    assert began.status == 202
    end = time.monotonic() + 120
    while (state := service("GET", "/api/status").json["indexing"])["is_running"]:
        assert time.monotonic() < end
        time.sleep(0.2)
    # The library was made from Python and does not remember where its model lies.
    assert "does not remember its model" in state["error"]


def test_a_token_opens_the_service_to_others(service: Asked):
    access = Access(names=LOOPBACK | {"studio"}, token="a" * 32)
    with serving(service.footage, service.library, service.embedder, access=access) as made:
        ask = Asked(made.port, made.footage, made.library, made.embedder)
        assert ask("GET", "/api/status").status == 401
        assert ask("GET", "/api/status", Authorization=f"Bearer {'b' * 32}").status == 401
        own = {"Authorization": f"Bearer {'a' * 32}"}
        assert ask("GET", "/api/status", **own).status == 200
        for name, status in (
            ("studio", 200),
            ("192.168.1.20", 200),
            ("[fe80::1]", 200),
            ("evil.example", 421),
        ):
            assert ask("GET", "/api/status", Host=f"{name}:{made.port}", **own).status == status
        welcome = ask("GET", f"/?token={'a' * 32}")
        assert (welcome.status, welcome.headers["location"]) == (303, "/")
        cookie = welcome.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert ask("GET", "/", Cookie=cookie.split(";")[0]).status == 200
        assert ask("GET", f"/?token={'b' * 32}").status == 401


WORDS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=30),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)  # fmt: skip
FIELDS = [
    *("content", "start_seconds", "stop_seconds", "seconds", "box", "by", "top", "cutoff", "root", "folder"),
    *("has", "after", "before", "text", "senses", "format", "moments", "title", "query", "name", "sense"),
    *("marks", "path"),
]
PLACES = ["like", "frame", "text", "class", "queries/x", "export", "taught", "taught/x/marks", "folders"]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), body=st.dictionaries(st.sampled_from(FIELDS), WORDS, max_size=6))
def test_no_body_breaks_the_service(service: Asked, place: str, body: dict[str, object]):
    answer = service("POST", f"/api/{place}", json.dumps(body), Content_Type="application/json")
    assert answer.status in (200, 202, 404, 405, 422), (answer.status, answer.body)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=200))
def test_no_bytes_break_the_service(service: Asked, junk: bytes):
    for place in ("/api/like", "/api/search/sound", "/api/export"):
        answer = service("POST", place, junk, Content_Type="application/json")
        assert answer.status in (400, 404, 422)


@pytest.mark.parametrize("number", ["nan", "inf", "-1", "1e308", "x"])
@pytest.mark.parametrize("what", ["thumbnail", "map", "peaks"])
def test_no_number_breaks_the_service(service: Asked, number: str, what: str):
    content = contents(service)["0.mp4"]
    name = "start_seconds" if what == "peaks" else "seconds"
    answer = service("GET", f"/api/contents/{content}/{what}?{name}={number}&stop_seconds=2")
    assert answer.status == 422


def test_what_cannot_be_is_refused(service: Asked):
    content = contents(service)["0.mp4"]
    moment = {"content": content, "start_seconds": 1.0, "stop_seconds": 2.0}
    assert service.post("/api/like", **moment | {"stop_seconds": 1.0}).status == 422
    late = service.post("/api/like", **moment | {"start_seconds": 5.0, "stop_seconds": 9})
    assert "no moments from" in late.json["error"]
    body = json.dumps({"format": "otio", "moments": [moment | {"offset_seconds": float("nan")}]})
    answer = service("POST", "/api/export", body, Content_Type="application/json")
    assert answer.status == 422
    large = b'{"marks": [' + b"{}," * (2 << 20) + b"{}]}"
    assert service("POST", "/api/taught/x/marks", large, Content_Type="application/json").status == 413


def test_a_cut_leaves_nothing_behind(service: Asked):
    content = contents(service)["2.mp4"]
    address = f"/api/contents/{content}/cut?start_seconds=0.5&stop_seconds=1"
    before = set(Path(tempfile.gettempdir()).glob("cavmae-sync-*"))
    assert service("GET", address).status == 200
    assert service("GET", address, Range="bytes=99999999-").status == 416
    end = time.monotonic() + 10
    while set(Path(tempfile.gettempdir()).glob("cavmae-sync-*")) - before:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_folders_are_not_added_by_the_token_alone(service: Asked):
    made = SearchService(open_library(service.library), None, may_add=False)
    with pytest.raises(ConfigError, match="start serve with --may-add"):
        made.add_folder(service.footage)
    made.close()


def test_a_sound_that_ends_before_its_picture_is_drawn_where_it_is(tmp_path: Path):
    write_video(
        tmp_path / "short.mp4",
        np.zeros((80, 32, 32, 3), np.uint8),
        frames_per_second=10,
        waveform_S=np.full(16_000 * 2, 0.5, np.float32),
    )
    worker = LimitedWorker()
    drawn = Pictures(tmp_path, worker).peaks("a" * 64, tmp_path / "short.mp4", duration_seconds=8.0)
    worker.close()
    assert min(drawn[5:240]) > 0.3
    assert max(drawn[270:]) < 0.1
