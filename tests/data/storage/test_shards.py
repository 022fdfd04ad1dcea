"""Tar shards: anyone can read them, places are known, equal content gives equal bytes."""

import hashlib
import io
import tarfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cavmae_sync.data.storage.shards import Member, ShardWriter, shard_key

#: What `str.isprintable` says, without the separator of folders.
PRINTABLE = st.characters(
    exclude_categories=["C", "Zl", "Zp", "Zs"], include_characters=" ", exclude_characters="/"
)
CONTENTS = st.lists(
    st.tuples(
        st.text(PRINTABLE, min_size=1, max_size=120).filter(lambda name: name.strip(".")),
        st.binary(max_size=1500),
    ),
    max_size=6,
    unique_by=lambda item: item[0],
)


def write(path: Path, contents: list[tuple[str, bytes]]) -> tuple[list[Member], str]:
    with path.open("w+b") as file:
        writer = ShardWriter(file)
        members = [writer.add(name, content) for name, content in contents]
        return members, writer.finish()


@given(CONTENTS)
@settings(max_examples=30, deadline=None)
def test_python_reads_it_and_the_places_are_right(tmp_path_factory, contents) -> None:
    path = tmp_path_factory.mktemp("shard") / "x.tar"
    members, sha256 = write(path, contents)
    data = path.read_bytes()
    assert [data[m.offset : m.offset + m.length] for m in members] == [content for _, content in contents]
    assert sha256 == hashlib.sha256(data).hexdigest()
    with tarfile.open(path) as archive:
        infos = list(archive)
        assert [(info.name, info.offset_data, info.size) for info in infos] == [
            (name, m.offset, m.length) for (name, _), m in zip(contents, members, strict=True)
        ]
        assert all(info.mtime == info.uid == info.gid == 0 for info in infos)


def test_equals_what_tarfile_writes(tmp_path: Path) -> None:
    """An independent second implementation: the standard library writing the same members."""
    contents = [("a.jpg", b"1" * 700), ("a" * 150 + ".flac", b""), ("ö.json", b"{}")]
    write(tmp_path / "ours.tar", contents)
    with tarfile.open(tmp_path / "theirs.tar", "w", format=tarfile.GNU_FORMAT, encoding="utf-8") as archive:
        for name, content in contents:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    assert (tmp_path / "ours.tar").read_bytes() == (tmp_path / "theirs.tar").read_bytes()


def test_rewinding_leaves_no_trace(tmp_path: Path) -> None:
    kept = [("a", b"1"), ("b", b"2" * 600)]
    expected = write(tmp_path / "straight.tar", kept)
    with (tmp_path / "rewound.tar").open("w+b") as file:
        writer = ShardWriter(file)
        first = writer.add(*kept[0])
        mark = writer.mark()
        writer.add("broken", b"x" * 5000)
        writer.rewind(mark)
        second = writer.add(*kept[1])
        assert ([first, second], writer.finish()) == expected
    assert (tmp_path / "rewound.tar").read_bytes() == (tmp_path / "straight.tar").read_bytes()


@given(st.lists(st.text("a.%/2E5", min_size=1, max_size=6), unique=True, max_size=10))
def test_keys_have_no_dot_and_stay_different(ids: list[str]) -> None:
    keys = [shard_key(clip_id) for clip_id in ids]
    assert len(set(keys)) == len(ids)
    assert all("." not in key.rpartition("/")[2] for key in keys)
