"""Proxies are made once, in the background, and kept within bounds."""

import time
from pathlib import Path

from cavmae_sync.page.proxies import Proxies, Proxy

from ..media.test_proxy import make_matroska


def settled(proxies: Proxies, content: str, path: Path) -> Proxy:
    for _ in range(600):
        found = proxies.get(content, path)
        if found.state != "waiting":
            return found
        time.sleep(0.05)
    raise AssertionError(f"still waiting: {found}")


def test_they_are_made_once_and_in_the_background(tmp_path: Path):
    make_matroska(tmp_path / "a.mkv", [n * 40 for n in range(20)])
    proxies = Proxies(tmp_path)
    first = proxies.get("a" * 64, tmp_path / "a.mkv")
    assert first.state == "waiting"
    found = settled(proxies, "a" * 64, tmp_path / "a.mkv")
    assert (found.state, found.path) == ("ready", tmp_path / "derived" / "proxies" / f"{'a' * 64}.mp4")
    assert settled(proxies, "b" * 64, found.path or tmp_path).state == "not needed"
    proxies.close()
    assert Proxies(tmp_path).get("a" * 64, tmp_path / "a.mkv").state == "ready"


def test_what_cannot_be_made_says_why_and_holds_up_nothing(tmp_path: Path):
    make_matroska(tmp_path / "a.mkv", [n * 40 for n in range(400)])
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    proxies = Proxies(tmp_path)
    found = settled(proxies, "c" * 64, tmp_path / "cut.mkv")
    assert (found.state, found.path) == ("failed", None)
    assert found.reason
    assert str(tmp_path) not in found.reason
    assert settled(proxies, "a" * 64, tmp_path / "a.mkv").state == "ready"
    proxies.close()


def test_the_oldest_go_first(tmp_path: Path):
    proxies = Proxies(tmp_path, most_bytes=1)
    for name in "abc":
        make_matroska(tmp_path / f"{name}.mkv", [n * 40 for n in range(10)])
        settled(proxies, name * 64, tmp_path / f"{name}.mkv")
    proxies.close()
    assert [path.name for path in (tmp_path / "derived" / "proxies").iterdir()] == [f"{'c' * 64}.mp4"]


def test_a_link_is_not_followed_and_a_full_disk_may_pass(tmp_path: Path):
    make_matroska(tmp_path / "a.mkv", [n * 40 for n in range(10)])
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    folder = tmp_path / "derived" / "proxies"
    folder.mkdir(parents=True)
    (folder / f"{'a' * 64}.mp4").symlink_to(secret)
    proxies = Proxies(tmp_path)
    found = settled(proxies, "a" * 64, tmp_path / "a.mkv")
    assert found.path is not None
    assert found.path.resolve().parent == folder.resolve()
    assert secret.read_bytes() == b"secret"
    found.path.unlink()
    folder.rmdir()
    folder.write_bytes(b"in the way")
    assert settled(proxies, "b" * 64, tmp_path / "a.mkv").state == "failed"
    folder.unlink()
    assert settled(proxies, "b" * 64, tmp_path / "a.mkv").state == "ready"
    proxies.close()
