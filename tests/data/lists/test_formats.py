"""Published lists as they are: comments, quotes, dashes, CRLF, byte order marks; and what is refused."""

import json
from pathlib import Path

import pytest

from cavmae_sync.data.lists import read_list_file
from cavmae_sync.errors import DatasetError

AUDIOSET = (
    "# Segments csv created Sun Mar  5 10:54:31 2017\n"
    "# num_ytids=3, num_segs=3, num_unique_labels=3, num_positive_labels=5\n"
    "# YTID, start_seconds, end_seconds, positive_labels\n"
    '--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_"\n'
    '-0Gj8-vB1q4, 30.000, 40.000, "/m/068hy,/t/dd00125"\n'
    '_a1B2c3D4e5, 21.500, 31.500, "/m/068hy"\n'
)
VGGSOUND = (
    "---g-f_I2yQ,1,people marching,test\n"
    "--0PQM4-hqg,30,waterfall burbling,train\n"
    '--5OkAjCI7g,40,"bird chirping, tweeting",train\n'
    "glLQrEijrKg,300,people marching,test\n"
)


def write(folder: Path, text: str | bytes, *, name: str = "list") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_audioset_segments(tmp_path: Path):
    file = read_list_file(write(tmp_path, AUDIOSET))
    assert (file.kind, file.num_declared, file.row_word) == ("audioset_csv", 3, "line")
    assert file.num_expected_classes == 3
    assert [clip.id for clip in file.clips] == ["--4gqARaEJE", "-0Gj8-vB1q4", "_a1B2c3D4e5"]
    assert [clip.line for clip in file.clips] == [4, 5, 6]
    assert file.clips[1].labels == ("/m/068hy", "/t/dd00125")
    assert (file.clips[2].start_seconds, file.clips[2].stop_seconds) == (21.5, 31.5)


@pytest.mark.parametrize("text", [AUDIOSET, VGGSOUND], ids=["audioset", "vggsound"])
def test_line_ends_and_byte_order_marks_change_nothing(tmp_path: Path, text: str):
    plain = read_list_file(write(tmp_path, text)).clips
    for changed in (text.replace("\n", "\r\n"), "\ufeff" + text, text.rstrip("\n"), text + "\n\n"):
        assert read_list_file(write(tmp_path, changed)).clips == plain


def test_audioset_without_comments_is_still_known(tmp_path: Path):
    rows = "".join(line for line in AUDIOSET.splitlines(keepends=True) if line[0] != "#")
    file = read_list_file(write(tmp_path, rows))
    assert (file.kind, file.num_declared, len(file.clips)) == ("audioset_csv", None, 3)


def test_vggsound(tmp_path: Path):
    file = read_list_file(write(tmp_path, VGGSOUND))
    assert (file.kind, len(file.clips), file.num_expected_classes) == ("vggsound_csv", 4, 309)
    assert [clip.id for clip in file.clips][2:] == ["--5OkAjCI7g_000040", "glLQrEijrKg_000300"]
    assert file.clips[2].labels == ("bird chirping_ tweeting",)
    test = read_list_file(write(tmp_path, VGGSOUND), split="test")
    assert [clip.id for clip in test.clips] == ["---g-f_I2yQ_000001", "glLQrEijrKg_000300"]


def test_a_manifest_of_cavmae(tmp_path: Path):
    data = [
        {"video_id": "a_000001", "wav": "w", "video_path": "f", "labels": "vgg_1,vgg_2"},
        {"video_id": "b_000002", "labels": ["Male speech, man speaking", "Chor"]},
        {"video_id": "c_000003", "labels": ""},
    ]
    file = read_list_file(write(tmp_path, json.dumps({"data": data})))
    assert (file.kind, file.row_word) == ("cavmae_json", "entry")
    assert [clip.labels for clip in file.clips] == [
        ("vgg_1", "vgg_2"),
        ("Male speech, man speaking", "Chor"),
        (),
    ]


def test_csv_and_text_of_ones_own(tmp_path: Path):
    table = read_list_file(write(tmp_path, 'video_id,labels\n"straße, 1",Hund;Katze\n-x,\n'))
    assert table.kind == "labels_csv"
    assert [(clip.id, clip.labels) for clip in table.clips] == [("straße, 1", ("Hund", "Katze")), ("-x", ())]
    text = read_list_file(write(tmp_path, "# chosen by hand\n-x\n\nb c\tHund;Katze, alt\r\n"))
    assert text.kind == "text"
    assert [(clip.id, clip.labels) for clip in text.clips] == [("-x", ()), ("b c", ("Hund", "Katze, alt"))]


HEAD = AUDIOSET[: AUDIOSET.index("--4gq")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "comments but no row"),
        (HEAD + "--4gqARaEJE, 0.000, 10.000, /m/1, /m/2\n", "line 4: 5 columns, but 4 are needed"),
        (HEAD + '--4gqARaEJ, 0.000, 10.000, "/m/1"\n', "line 4: '--4gqARaEJ' is not the id"),
        (HEAD + '--4gqARaEJE, x, 10.000, "/m/1"\n', "line 4: the start is 'x'"),
        (
            HEAD + '--4gqARaEJE, 10.000, 10.000, "/m/1"\n',
            "line 4: the stop, 10.000 s, must be after the start",
        ),
        (HEAD + '--4gqARaEJE, 0.000, nan, "/m/1"\n', "line 4: the stop is 'nan'"),
        (HEAD + '--4gqARaEJE, 0.000, 10.000, "/m/1,,/m/2"\n', "line 4: the labels '/m/1,,/m/2'"),
        (HEAD + '--4gqARaEJE, 0.000, 10.000, ""\n', "line 4: the labels ''"),
        (HEAD + '--4gqARaEJE, 0.000, 10.000, "/m/1,/m/1"\n', "line 4: .* repeated"),
        (VGGSOUND + "glLQrEijrKg,1,a, b,test\n", "line 5: 5 columns, but 4 are needed.*in quotes"),
        (VGGSOUND + "glLQrEijrKg,1,a,valid\n", "line 5: the split is 'valid'"),
        (VGGSOUND + "glLQrEijrKg,1.5,a,test\n", "line 5: the start is '1.5', but must be a whole"),
        (VGGSOUND + "glLQrEijrKg,-1,a,test\n", "line 5: the start is '-1'"),
        (VGGSOUND + "glLQrEijrK,1,a,test\n", "line 5: 'glLQrEijrK' is not the id"),
        (VGGSOUND + "glLQrEijrKg,1,,test\n", "line 5: the label of glLQrEijrKg is empty"),
        (VGGSOUND + 'glLQrEijrKg,1,"a,test\n', "line 5: "),
        ('{"data": [{"id": 3}]}', "entry 0: it must be an object"),
        ('{"data": [{"video_id": "a", "labels": 3}]}', "entry 0: labels is 3"),
        ('[{"id": "/m/1", "child_ids": []}]', "looks like the ontology of AudioSet"),
        ("[1, 2]", 'whose key "data" is a list of clips.$'),
        ("\n<!DOCTYPE html><html>no such file</html>", "is a web page, not a list"),
        ("%PDF-1.4\n1 0 obj\n", "is a PDF, not a list"),
        ("{oh", "is not JSON"),
        ("index,mid,display_name\n0,a,b\n", "list of classes, not of clips.*--classes"),
        ("a,b,c\n1,2,3\n", "is not a list of clips in a known format; its first row is 'a,b,c'"),
        ("video_id,labels\nx,a\ny\n", "line 3: 1 columns, but 2 are needed"),
        ("x\n\tHund\n", "line 2: the video_id is empty"),
        ("# nothing\n", "lists no clip"),
        (" \n", "is empty"),
        (b"\xff\xfe\x00", "is not a text file in UTF-8"),
    ],
)
def test_a_malformed_row_is_an_error_that_names_its_line(tmp_path: Path, text: str | bytes, message: str):
    with pytest.raises(DatasetError, match=message):
        read_list_file(write(tmp_path, text))


def test_only_vggsound_has_splits(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"has no splits.*Leave out --split train"):
        read_list_file(write(tmp_path, AUDIOSET), split="train")
    only_train = "--0PQM4-hqg,30,waterfall burbling,train\n"
    with pytest.raises(DatasetError, match="1 rows, but none of split 'test'"):
        read_list_file(write(tmp_path, only_train), split="test")
