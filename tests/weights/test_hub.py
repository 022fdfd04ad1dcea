"""Weights by name from a hub: a real client against a small server on this machine."""

import logging
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, constants

from cavmae_sync.errors import WeightsError
from cavmae_sync.model import CAVMAESync, DecoderConfig
from cavmae_sync.weights import (
    Provenance,
    find_weights,
    load_model,
    push_to_hub,
    read_provenance,
    save_model,
    save_pretrained,
    weights_fingerprint,
)
from cavmae_sync.weights.hub import HubAddress, parse_address

from ..model.conftest import tiny_config
from .local_hub import LocalHub, Repository


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A hub, and a client that knows no other, is logged in and keeps files in a folder of the test.

    The client reads its settings when it is imported, so they are set where it keeps them.
    """
    hub = LocalHub()
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "kept"))
    monkeypatch.setenv("HF_TOKEN", hub.token)
    with hub.running():
        yield hub


def make_model(*, seed: int = 0, **changes: object) -> CAVMAESync:
    return CAVMAESync(tiny_config(**changes), generator=torch.Generator().manual_seed(seed)).eval()


def official_bytes(folder: Path, *, seed: int = 0) -> tuple[CAVMAESync, bytes]:
    """A model of one attention head, which must be said, and its `.pth` in the authors' layout."""
    model = make_model(seed=seed, width=64, heads=1, decoder=DecoderConfig(width=32, depth=1, heads=1))
    save_model(model, folder / "made.pth")
    return model, (folder / "made.pth").read_bytes()


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("org/name", HubAddress(repository="org/name")),
            ("org/name@v1.0", HubAddress(repository="org/name", revision="v1.0")),
            ("org/name@refs/pr/3", HubAddress(repository="org/name", revision="refs/pr/3")),
            ("hf://org/name", HubAddress(repository="org/name")),
            ("hf://org/name/a/b.pth", HubAddress(repository="org/name", file="a/b.pth")),
            ("hf://org/name@main/b.pth", HubAddress(repository="org/name", file="b.pth")),
            ("hf://a/b@refs/pr/3/c.pt", HubAddress(repository="a/b", revision="refs/pr/3", file="c.pt")),
        ],
    )  # fmt: skip
    def test_names_on_a_hub(self, text: str, expected: HubAddress):
        assert parse_address(text) == expected
        assert parse_address(Path(text)) == expected  # a Path makes one slash of two

    @pytest.mark.parametrize(
        "text",
        ["name", "weights.safetensors", "runs/weights.safetensors", "runs/best.PTH", "a/b/c", "/org/name",
         "./org/name", "../name", "~/name", "org/", "org/name/", "org//name", "org name/x", "", "a/é"],
    )  # fmt: skip
    def test_paths(self, text: str):
        assert parse_address(text) is None

    def test_what_exists_is_a_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        assert parse_address("org/name") is not None
        Path("org").mkdir()
        assert parse_address("org/name") is None
        assert parse_address("hf://org/name") == HubAddress(repository="org/name")

    @pytest.mark.parametrize(
        "text", ["hf://", "hf://name", "hf:///a/b", "hf://a/b@", "hf://a/b/../c.pth", "hf://a/b@.."]
    )
    def test_broken_addresses(self, text: str):
        with pytest.raises(WeightsError, match="not an address on the hub"):
            parse_address(text)


class TestRoundTrip:
    def test_what_is_published_is_loaded(self, hub: LocalHub):
        model = make_model()
        url = push_to_hub(model, "org/name")
        loaded = load_model("org/name")
        assert weights_fingerprint(loaded) == weights_fingerprint(model)
        assert loaded.config == model.config
        assert not loaded.training
        assert hub.downloads() == ["model.safetensors"]
        [(sha, files)] = hub.repositories["org/name"].commits.items()
        assert url.endswith(sha)
        assert set(files) == {"model.safetensors", "config.json", "README.md"}

    def test_it_is_fetched_once(self, hub: LocalHub):
        push_to_hub(make_model(), "org/name")
        paths = {find_weights(text) for text in ("org/name", "hf://org/name", Path("org/name"))}
        assert len(paths) == 1
        assert hub.downloads() == ["model.safetensors"]

    def test_a_branch_a_tag_and_a_commit(self, hub: LocalHub):
        first, second = make_model(seed=1), make_model(seed=2)
        push_to_hub(first, "org/name")
        repository = hub.repositories["org/name"]
        repository.refs["v1"] = repository.refs["main"]
        push_to_hub(second, "org/name")
        expected = weights_fingerprint(first)
        for text in (
            "org/name@v1",
            f"org/name@{repository.refs['v1']}",
            "hf://org/name@v1/model.safetensors",
        ):
            assert weights_fingerprint(load_model(text)) == expected
        assert weights_fingerprint(load_model(find_weights("org/name", revision="v1"))) == expected
        assert weights_fingerprint(load_model("org/name")) == weights_fingerprint(second)

    @pytest.mark.usefixtures("hub")
    def test_provenance_travels(self):
        provenance = Provenance(
            layout="sync", source_name="cav_mae_sync.pth", source_sha256="a" * 64, source_num_bytes=7,
            licence="BSD-2-Clause (code)", num_frames=16,
        )  # fmt: skip
        push_to_hub(make_model(), "org/name", provenance=provenance)
        assert read_provenance(find_weights("org/name")) == provenance

    def test_weights_of_the_authors_on_a_hub(self, hub: LocalHub, tmp_path: Path):
        model, content = official_bytes(tmp_path)
        hub.repositories["org/official"] = repository = Repository()
        repository.commit({"README.md": b"x", "best.pth": content})
        for text in ("org/official", "hf://org/official/best.pth", Path("hf://org/official/best.pth")):
            found = load_model(text, overrides=["heads=1", "decoder.heads=1"])
            assert weights_fingerprint(found) == weights_fingerprint(model)
        assert hub.downloads() == ["best.pth"]

    def test_a_local_path_wins(self, hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        push_to_hub(make_model(seed=1), "org/name")
        hub.requests.clear()
        monkeypatch.chdir(tmp_path)
        local = make_model(seed=2)
        save_pretrained(local, "org/name")
        assert weights_fingerprint(load_model("org/name")) == weights_fingerprint(local)
        assert hub.requests == []

    def test_code_in_a_file_is_not_executed(self, hub: LocalHub, tmp_path: Path):
        class Executes:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "was_here"),)

        hub.repositories["evil/model"] = repository = Repository()
        repository.commit({"model.pth": pickle.dumps({"weight": Executes()})})
        with pytest.raises(WeightsError, match="nothing in a file is executed"):
            load_model("evil/model")
        assert not (tmp_path / "was_here").exists()


class TestRefused:
    def test_no_weights(self, hub: LocalHub):
        hub.repositories["org/name"] = repository = Repository()
        repository.commit({"README.md": b"", "data.csv": b""})
        with pytest.raises(WeightsError, match=r"org/name .* has no weights .* files: README\.md, data\.csv"):
            load_model("org/name")
        assert hub.downloads() == []

    def test_an_empty_repository(self, hub: LocalHub):
        hub.repositories["org/name"] = Repository()
        with pytest.raises(WeightsError, match="Its files: none"):
            load_model("org/name")

    def test_several_weights(self, hub: LocalHub):
        hub.repositories["org/name"] = repository = Repository()
        repository.commit({"a.pth": b"", "b.pth": b""})
        with pytest.raises(WeightsError, match=r"2 weights files: a\.pth, b\.pth\. .* hf://org/name/a\.pth"):
            load_model("org/name")

    def test_safetensors_are_preferred(self, hub: LocalHub, tmp_path: Path):
        model = make_model()
        save_model(model, tmp_path / "x.safetensors")
        hub.repositories["org/name"] = repository = Repository()
        repository.commit({"a.pth": b"", "x.safetensors": (tmp_path / "x.safetensors").read_bytes()})
        assert weights_fingerprint(load_model("org/name")) == weights_fingerprint(model)

    @pytest.mark.usefixtures("hub")
    def test_a_file_that_is_not_there(self):
        push_to_hub(make_model(), "org/name")
        with pytest.raises(WeightsError, match=r"has no best\.pth\. Its files: .*model\.safetensors"):
            load_model("hf://org/name/best.pth")

    @pytest.mark.usefixtures("hub")
    def test_no_such_repository(self):
        with pytest.raises(WeightsError, match=r"has no org/nothing.*file or folder was meant.*none of this"):
            load_model("org/nothing")

    @pytest.mark.usefixtures("hub")
    def test_no_such_revision(self):
        push_to_hub(make_model(), "org/name")
        with pytest.raises(WeightsError, match="org/name has no revision 'v9'"):
            load_model("org/name@v9")

    @pytest.mark.usefixtures("hub")
    def test_a_private_repository_without_login(self, monkeypatch: pytest.MonkeyPatch):
        push_to_hub(make_model(), "org/name", private=True)
        load_model("org/name")
        monkeypatch.setenv("HF_TOKEN", "hf_somebody_else")
        with pytest.raises(WeightsError, match="hf auth login"):
            find_weights("org/name@main")

    def test_a_gated_repository(self, hub: LocalHub):
        push_to_hub(make_model(), "org/name")
        hub.repositories["org/name"].gated = True
        with pytest.raises(WeightsError, match=r"gated\. Ask for access at"):
            load_model("org/name")

    def test_a_path_beside_which_something_exists(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        Path("runs").mkdir()
        with pytest.raises(WeightsError, match=r"runs/frist does not exist.*write hf://runs/frist"):
            load_model("runs/frist")

    def test_a_revision_of_a_path(self, tmp_path: Path):
        with pytest.raises(WeightsError, match="is a path, which has no revision 'v1'"):
            find_weights(tmp_path, revision="v1")

    @pytest.mark.usefixtures("hub")
    def test_a_name_that_no_hub_takes(self):
        with pytest.raises(WeightsError, match="not the name of a repository"):
            load_model("org/a--b")


class TestWithoutConnection:
    def test_what_was_fetched_is_used_and_said(self, hub: LocalHub, caplog: pytest.LogCaptureFixture):
        model = make_model()
        push_to_hub(model, "org/name")
        load_model("org/name")
        hub.stop()
        with caplog.at_level(logging.WARNING, logger="cavmae_sync"):
            assert weights_fingerprint(load_model("org/name")) == weights_fingerprint(model)
        assert "cannot be reached" in caplog.text
        assert "fetched before" in caplog.text

    def test_what_was_not_fetched_is_refused_at_once(self, hub: LocalHub):
        hub.stop()
        start = time.perf_counter()
        with pytest.raises(WeightsError, match=r"cannot be reached .* not fetched before"):
            load_model("org/name")
        assert time.perf_counter() - start < 10  # the client's own way takes 23 s

    def test_offline_asks_nobody(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch):
        push_to_hub(make_model(), "org/name")
        load_model("org/name")
        hub.requests.clear()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        load_model("org/name")
        with pytest.raises(WeightsError, match=r"HF_HUB_OFFLINE is set.*not fetched before"):
            load_model("org/other")
        with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set"):
            push_to_hub(make_model(), "org/name")
        assert hub.requests == []


class TestPublishing:
    def test_a_private_push_does_not_go_to_a_public_repository(self, hub: LocalHub):
        push_to_hub(make_model(seed=1), "org/name")
        with pytest.raises(WeightsError, match="exists and is public, so that nothing was sent"):
            push_to_hub(make_model(seed=2), "org/name", private=True)
        assert len(hub.repositories["org/name"].commits) == 1

    def test_without_login(self, hub: LocalHub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")
        with pytest.raises(WeightsError, match=r"Publishing org/name failed.*hf auth login"):
            push_to_hub(make_model(), "org/name")
        assert hub.repositories == {}

    @pytest.mark.parametrize("name", ["name", "a/b/c", "org/name@v1", "hf://org/name"])
    def test_a_name_that_is_none(self, hub: LocalHub, name: str):
        with pytest.raises(WeightsError, match="not the name of a repository"):
            push_to_hub(make_model(), name)
        assert hub.requests == []

    def test_a_name_that_is_none_gets_no_card(self, tmp_path: Path):
        with pytest.raises(WeightsError, match="not the name of a repository"):
            save_pretrained(make_model(), tmp_path / "out", repository="name")
        assert not (tmp_path / "out").exists()

    def test_the_folder_loads_and_can_be_written_again(self, tmp_path: Path):
        first, second = make_model(seed=1), make_model(seed=2)
        for model in (first, second):
            assert save_pretrained(model, tmp_path / "out") == tmp_path / "out" / "model.safetensors"
            for loaded in (load_model(tmp_path / "out"), load_model(find_weights(str(tmp_path / "out")))):
                assert weights_fingerprint(loaded) == weights_fingerprint(model)

    def test_the_folder_of_a_run_loads(self, tmp_path: Path):
        model = make_model()
        save_model(model, tmp_path / "weights.safetensors")
        assert weights_fingerprint(load_model(tmp_path)) == weights_fingerprint(model)

    def test_the_configuration_of_a_run_is_not_overwritten(self, tmp_path: Path):
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(WeightsError, match="it is a run or another model"):
            save_pretrained(make_model(), tmp_path)
        assert (tmp_path / "config.json").read_text() == "{}"


class TestCard:
    def read(self, folder: Path, model: CAVMAESync, **about: object) -> ModelCard:
        save_pretrained(model, folder, **about)  # pyrefly: ignore
        return ModelCard.load(folder / "README.md")

    def test_it_says_what_a_reader_needs(self, tmp_path: Path):
        model = make_model()
        card = self.read(tmp_path, model, repository="org/name", results="| R@1 | 12.0 % |")
        assert card.data.library_name == "cavmae-sync"
        assert "audio-visual" in card.data.tags
        for part in (
            'cs.load_model("org/name")',
            "32 x 32 pixels, 2 x 2 patches",
            "3 for each modality; they stop before the joint layer",
            weights_fingerprint(model),
            "trained with cavmae-sync",
            "## Results\n\n| R@1 | 12.0 % |",
        ):
            assert part in card.text

    @pytest.mark.parametrize(
        ("note", "expected"),
        [
            ("BSD-2-Clause (code)", ("bsd-2-clause", None)),
            ("ask me", ("other", "ask me")),
            (None, (None, None)),
        ],
    )
    def test_the_licence(self, tmp_path: Path, note: str | None, expected: tuple[str | None, str | None]):
        card = self.read(tmp_path, make_model(), provenance=Provenance(licence=note))
        assert (card.data.get("license"), card.data.get("license_name")) == expected

    def test_the_model_it_was_made_from(self, tmp_path: Path):
        provenance = Provenance(
            layout="sync", source_name="x.pth", source_sha256="b" * 64, source_num_bytes=1234, num_frames=16
        )
        card = self.read(tmp_path, make_model(), provenance=provenance, base_model="org/base")
        assert card.data.base_model == "org/base"
        for part in ("`x.pth` (layout `sync`)", "b" * 64, "1,234", "| frames of a clip in training | 16 |"):
            assert part in card.text

    def test_plain_cavmae_without_decoder(self, tmp_path: Path):
        card = self.read(tmp_path, make_model(global_token=False, registers=0, decoder=None))
        assert "Weights of a CAV-MAE model" in card.text
        assert "| decoder | none" in card.text
