"""How float32 products are computed is decided once per library, not by each machine's clock."""

from pathlib import Path

import pytest

from cavmae_sync.embedding import Embedder
from cavmae_sync.embedding.library import FillOptions, add_to_library, products_of_library
from cavmae_sync.errors import ConfigError
from cavmae_sync.work import Share

from .conftest import SMALL


def test_what_goes_on_with_a_library_learns_what_it_was_begun_with(
    videos: Path, embedder: Embedder, tmp_path: Path
) -> None:
    medium = Embedder(embedder.model, device="cpu", float32_products="medium")
    assert products_of_library(tmp_path / "out") is None
    for index in range(2):
        share = Share(index=index, count=2)
        add_to_library(
            medium,
            videos,
            out=tmp_path / "out",
            config=SMALL,
            options=FillOptions(num_workers=0, share=share),
        )
        assert products_of_library(tmp_path / "out") == "medium"
    assert (tmp_path / "out" / "library.json").is_file()


def test_a_share_that_decided_otherwise_is_refused(videos: Path, embedder: Embedder, tmp_path: Path) -> None:
    highest = Embedder(embedder.model, device="cpu", float32_products="highest")
    medium = Embedder(embedder.model, device="cpu", float32_products="medium")
    first, second = (Share(index=index, count=2) for index in range(2))
    add_to_library(
        highest, videos, out=tmp_path, config=SMALL, options=FillOptions(num_workers=0, share=first)
    )
    with pytest.raises(ConfigError, match="float32_products=highest, and now float32_products=medium"):
        add_to_library(
            medium, videos, out=tmp_path, config=SMALL, options=FillOptions(num_workers=0, share=second)
        )
