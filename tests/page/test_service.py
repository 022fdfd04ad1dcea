"""The service over a real socket: what it finds, and whom and what it refuses."""

import io
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cavmae_sync.embedding.library import FillOptions, add_to_library, open_library
from cavmae_sync.media import read_clip

from .conftest import Asked
from .served import CONFIG, make_film


def contents(service: Asked) -> dict[str, str]:
    return {row.path: row.content or "" for row in open_library(service.library).files()}


def test_a_file_that_is_sent_finds_itself(service: Asked):
    content = (service.footage / "2.mp4").read_bytes()
    for kind in ("sound", "video"):
        found = service.send(kind, content, start_seconds="0.5", stop_seconds="2.5", name="mein 🎬.mp4").json
        hit = found["hits"][0]
        assert hit["places"][0]["path"] == "2.mp4"
        assert hit["offset_seconds"] == pytest.approx(0.5, abs=0.2)
        assert found["about"] == f"{kind} mein 🎬.mp4"
        assert found["matches"] is None
    frame = read_clip(service.footage / "3.mp4", start_seconds=1.25, num_frames=1).frames_THWC[0]
    picture = io.BytesIO()
    Image.fromarray(frame).save(picture, "PNG")
    options = json.dumps({"by": "picture", "top": 1})
    found = service.send("picture", picture.getvalue(), options=options).json
    assert [hit["places"][0]["path"] for hit in found["hits"]] == ["3.mp4"]


def test_a_moment_of_the_library_finds_others(service: Asked):
    content = contents(service)["1.mp4"]
    asked = {"content": content, "start_seconds": 0.5, "stop_seconds": 1.5, "top": 3}
    found = service("POST", "/api/like", json.dumps(asked), Content_Type="application/json").json
    assert 0 < len(found["hits"]) <= 3
    own = [hit for hit in found["hits"] if hit["content"] == content]
    assert all(hit["start_seconds"] >= 1.5 or hit["stop_seconds"] <= 0.5 for hit in own)


def test_status_thumbnails_waveforms_and_ranges(service: Asked):
    assert service("GET", "/api/status").json["num_files"] >= 4
    assert service("GET", "/api/failures").json == []
    content = contents(service)["0.mp4"]
    thumbnail = service("GET", f"/api/contents/{content}/thumbnail?seconds=1.05")
    shown = np.asarray(Image.open(io.BytesIO(thumbnail.body)), np.int16)
    true = read_clip(service.footage / "0.mp4", start_seconds=1.05, num_frames=1).frames_THWC[0]
    assert np.abs(shown - true).mean() < 8
    peaks = service("GET", f"/api/contents/{content}/peaks").json
    assert len(peaks) == 1000
    assert 0.2 < max(peaks) < 0.45
    whole = (service.footage / "0.mp4").read_bytes()
    part = service("GET", f"/api/contents/{content}/media", Range="bytes=10-19")
    assert (part.status, part.body) == (206, whole[10:20])
    assert service("GET", f"/api/contents/{content}/media").body == whole


def test_the_reference_needs_nothing_from_elsewhere(service: Asked):
    page = service("GET", "/docs")
    text = page.body.decode()
    assert "/api/search/{kind}" in text
    assert "left,top,width,height" in text
    assert not re.search(r"https?://|<script", text)
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert "/api/like" in service("GET", "/openapi.json").json["paths"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
def test_pages_of_other_sites_are_refused(service: Asked, headers: dict[str, str]):
    for path in ("/api/status", "/openapi.json", "/"):
        answer = service("GET", path, **headers)
        assert answer.status in (403, 421), headers
        assert b"num_files" not in answer.body
    assert service("GET", "/api/status", Host=f"localhost:{service.port}").status == 200
    assert service("GET", "/api/status", Origin=f"http://127.0.0.1:{service.port}").status == 200


@pytest.mark.parametrize("path", ["..%2f..%2fetc%2fpasswd", "0" * 64, "%00", "a" * 5000, "..", "*"])
def test_only_contents_of_the_library_are_given(service: Asked, path: str):
    for what in ("media", "thumbnail", "peaks"):
        answer = service("GET", f"/api/contents/{path}/{what}")
        assert answer.status in (404, 422), (path, what)
        assert b"root:" not in answer.body


def test_a_link_that_leads_out_of_its_root_is_not_given(service: Asked, tmp_path):
    content = contents(service)["3.mp4"]
    file = service.footage / "3.mp4"
    file.rename(tmp_path / "secret.mp4")
    file.symlink_to(tmp_path / "secret.mp4")
    try:
        assert service("GET", f"/api/contents/{content}/media").status == 404
    finally:
        file.unlink()
        (tmp_path / "secret.mp4").rename(file)
    assert service("GET", f"/api/contents/{content}/media").status == 200


def test_too_much_is_refused_before_it_is_kept(service: Asked):
    answer = service.send("sound", bytes((1 << 20) + 1))
    assert (answer.status, answer.body) == (413, b"More than 1 MB were sent. Send a part of the file.")
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        head = "POST /api/search/sound HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        connection.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode())
        begin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        try:
            for part in (begin, *[bytes(0x10000)] * 40):
                connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        except OSError:
            return  # it hung up
        connection.settimeout(10)
        assert b" 413 " in connection.recv(200)
    assert service("GET", "/api/status").status == 200


@pytest.mark.parametrize(
    ("kind", "content", "fields", "says"),
    [
        ("sound", b"nothing", {}, "is not a media file"),
        ("picture", b"\x89PNG\r\n\x1a\n", {}, "no picture that can be read"),
        ("video", b"", {}, "is empty"),
        ("picture", b"x", {"box": "0,0,2,2"}, "in fractions of the picture"),
        ("video", b"x", {"options": '{"top": 5000}'}, ""),
        ("video", b"x", {"options": "["}, ""),
        ("smell", b"x", {}, ""),
    ],
)
def test_what_cannot_be_read_is_said(
    service: Asked, kind: str, content: bytes, fields: dict[str, str], says: str
):
    answer = service.send(kind, content, **fields)
    assert answer.status == 422
    assert says in answer.body.decode()
    assert "/tmp" not in answer.body.decode()


def test_fifty_ask_while_files_are_added(service: Asked):
    content = (service.footage / "1.mp4").read_bytes()
    new = service.footage.parent / "more"
    for seed in range(10, 14):
        make_film(new / f"{seed}.mp4", seed=seed)
    with ThreadPoolExecutor(51) as pool:
        adding = pool.submit(
            add_to_library, service.embedder, new, out=service.library, config=CONFIG,
            options=FillOptions(num_workers=0),
        )  # fmt: skip
        answers = list(pool.map(lambda _: service.send("sound", content), range(50)))
        adding.result()
    assert {answer.status for answer in answers} == {200}
    assert {answer.json["hits"][0]["places"][0]["path"] for answer in answers} == {"1.mp4"}
    time.sleep(2.1)  # the service looks every two seconds
    found = service.send("video", (new / "12.mp4").read_bytes()).json
    assert found["hits"][0]["places"][0]["path"] == "12.mp4"


def test_what_browsers_play_is_said(service: Asked):
    content = contents(service)["0.mp4"]
    found = service("GET", f"/api/contents/{content}/playable").json
    assert found == {"state": "not needed", "fraction": 1.0, "reason": None}
    whole = service("GET", f"/api/contents/{content}/playable/media")
    assert whole.body == (service.footage / "0.mp4").read_bytes()
    assert service("GET", f"/api/contents/{'0' * 64}/playable").status == 404


def test_vectors_ask_and_texts_and_classes_say_what_they_need(service: Asked):
    rows = np.asarray(
        open_library(service.library).part(contents(service)["1.mp4"]).vectors("audio"), np.float32
    )
    record = open_library(service.library).record
    file = io.BytesIO()
    np.savez(
        file, audio=rows[1:4], name=np.array(record.encoder.kind), weights=np.array(record.encoder.weights)
    )
    hit = service.send("vectors", file.getvalue(), name="q.npz").json["hits"][0]
    assert (hit["places"][0]["path"], round(hit["offset_seconds"], 1)) == ("1.mp4", 0.5)
    for address, message in (("text", "knows no words"), ("class", "no classes without a probe")):
        asked = service(
            "POST", f"/api/{address}", json.dumps({"text": "a dog"}), Content_Type="application/json"
        )
        assert (asked.status, message in asked.json["error"]) == (422, True)
    assert service("GET", "/api/classes").json == []


def test_filters_by_date_and_length(service: Asked):
    content = (service.footage / "2.mp4").read_bytes()
    for options, is_found in (
        ({"after": "2020-01-01"}, True),
        ({"before": "2020-01-01"}, False),
        ({"max_seconds": 1}, False),
        ({"min_seconds": 1}, True),
    ):
        found = service.send("sound", content, options=json.dumps(options)).json
        assert bool(found["hits"]) == is_found, options
    assert service.send("sound", content, options='{"after": "yesterday"}').status == 422
