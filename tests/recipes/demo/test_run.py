"""The demo, small: it ends with a page, a stop continues, and other settings are refused."""

import json
import time
from pathlib import Path

import pytest

from cavmae_sync.atomic import locked
from cavmae_sync.errors import DatasetError
from cavmae_sync.recipes import find_recipe, run_pretraining
from cavmae_sync.recipes.demo.config import DemoConfig
from cavmae_sync.recipes.demo.run import run_demo
from cavmae_sync.recipes.reporter import Reporter

SMALL = DemoConfig(minutes=0.001, num_train_clips=10, num_test_clips=6, frame_pixels=32)


@pytest.fixture(scope="module")
def videos(prepared_folder: Path) -> Path:
    """A folder of 14 video files: the clips that the shared dataset was prepared from."""
    return prepared_folder.parent / "stage" / "clips"


@pytest.mark.long
def test_own_videos_stop_continue_and_end_with_a_page(tmp_path: Path, videos: Path):
    config = SMALL.model_copy(update={"videos": str(videos)})
    stopped = run_demo(tmp_path, config=config, reporter=Reporter(should_stop=lambda: True))
    assert stopped is None
    result = run_demo(tmp_path, config=config)
    assert result is not None
    assert result.retrieval.counts["queries"] == 3, "every fifth of 14 files is held out"
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "train"] == sorted(
        {row["step"] for row in rows if row["kind"] == "train"}
    )
    page = result.page.read_text()
    assert page.count("data:image/png;base64,") >= 6
    assert "http://" not in page
    assert "https://" not in page
    assert "None of the test clips was trained on." in page
    assert "against brightness" in page, "what needs no learning stands beside what was learned"


@pytest.mark.slow
def test_a_demo_that_planned_again_is_repeated_by_its_configuration(tmp_path: Path, videos: Path):
    """Stopped at step 16 of many; no time is left at the second start. Same steps, same bytes.

    Four files are too few to hold any out, and the page says so.
    """
    few = tmp_path / "few"
    few.mkdir()
    for video in sorted(videos.iterdir())[:4]:
        (few / video.name).write_bytes(video.read_bytes())
    asked = iter([False] * 15)
    config = SMALL.model_copy(update={"videos": str(few), "minutes": 5})
    stopping = Reporter(should_stop=lambda: next(asked, True))
    assert run_demo(tmp_path / "demo", config=config, reporter=stopping) is None
    result = run_demo(tmp_path / "demo", config=config, began=time.monotonic() - 300)
    assert result is not None
    assert "how well it remembers" in result.page.read_text()
    recipe = find_recipe(str(tmp_path / "demo" / "run" / "config.json"))
    assert recipe.optim.pieces[-1].after_step > 16, "it planned again"
    datasets = {"data": tmp_path / "demo" / "data-train", "validation": tmp_path / "demo" / "data-test"}
    repeated = run_pretraining(recipe, out=tmp_path / "again", **datasets)
    assert 16 < repeated.num_steps == recipe.loop.num_steps < 60
    assert repeated.run.weights.read_bytes() == result.weights.read_bytes()


def test_a_folder_with_another_demo_is_refused(tmp_path: Path):
    (tmp_path / "demo.json").write_text(SMALL.model_dump_json())
    with pytest.raises(DatasetError, match="other settings"):
        run_demo(tmp_path, config=SMALL.model_copy(update={"seed": 1}))


def test_two_demos_in_one_folder_are_not_in_each_others_way(tmp_path: Path):
    """They would share its plan, and each would renew the other's training."""
    with locked(tmp_path / "writer.lock"), pytest.raises(DatasetError, match="Another demo is running"):
        run_demo(tmp_path, config=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["writer.lock"]


def test_an_empty_folder_is_refused(tmp_path: Path):
    (tmp_path / "videos").mkdir()
    with pytest.raises(DatasetError):
        run_demo(tmp_path / "demo", config=SMALL.model_copy(update={"videos": str(tmp_path / "videos")}))
