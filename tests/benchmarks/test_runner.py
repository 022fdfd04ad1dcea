"""Variants run in processes of their own, in turn; a failure of one is reported and stops no other."""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from benchmarks.part import Part, Setting, Variant, Work
from benchmarks.process import Sample
from benchmarks.result import PartResult, compare, make_row, with_bound
from benchmarks.runner import run_part
from benchmarks.table import MARKERS, SUMMARY_MARKERS, markdown, part_text, with_table

from cavmae_sync.errors import ConfigError

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "processor": "abacus", "cores": 1, "threads": 1, "device": "cpu", "features": [], "memory_gib": 1,
    "torch": "2", "libc": "glibc", "commit": "abc", "is_dirty": False, "date": "today",
}  # fmt: skip


def note(setting: Setting, *, name: str, answer: float = 1.0, seconds: float = 0.0) -> Work:
    """Work that notes its turn and its process."""

    def repeat() -> None:
        time.sleep(seconds)
        with (setting.folder / "turns.txt").open("a") as file:
            file.write(f"{name} {os.getpid()}\n")

    return Work(repeat=repeat, warm_up=lambda: None, answer=lambda: {"x": np.array([1.0, answer])})


def fail(_: Setting) -> Work:
    raise RuntimeError("there is no such kernel")


def refuse(_: Setting) -> Work:
    raise ConfigError("the device has no such products")


def die(_: Setting) -> Work:
    os._exit(3)


def a_part(*variants: Variant, **how: object) -> Part:
    return Part(name="part", title="some work", unit="clip", rounds=3, variants=variants, **how)


@pytest.fixture
def setting(tmp_path) -> Setting:
    return Setting(folder=tmp_path, device="cpu", threads=1, quick=False)


def run(part: Part, setting: Setting, **rates: float) -> PartResult:
    return run_part(part, setting, rates=rates, tell=lambda _: None)


def test_variants_take_turns_and_one_that_fails_is_reported(setting):
    part = a_part(
        Variant(name="first", make=partial(note, name="first", seconds=0.02)),
        Variant(name="second", make=partial(note, name="second", seconds=0.01)),
        Variant(name="broken", make=fail),
        Variant(name="gone", make=die),
        Variant(name="unable", make=refuse),
        Variant(name="other", make=partial(note, name="other", answer=2.0)),
    )
    result = run(part, setting)
    turns = [line.split() for line in (setting.folder / "turns.txt").read_text().splitlines()]
    assert [name for name, _ in turns if name != "other"] == ["first", "second"] * 3
    assert len({process for _, process in turns}) == 3
    first, second = result.rows[:2]
    assert first.ratio is None
    assert second.ratio_range[0] <= second.ratio_range[1]
    assert second.difference.absolute == 0
    assert "there is no such kernel" in result.errors["broken"]
    assert "exit code 3" in result.errors["gone"]
    assert "different mathematics" in result.errors["other"]
    assert result.left_out == {"unable": "the device has no such products"}
    text = part_text(result)
    assert "broken FAILED: RuntimeError: there is no such kernel" in text
    assert PartResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_alone_each_repetition_has_a_fresh_process(setting):
    variant = Variant(name="first", make=partial(note, name="first"), rounds=2)
    run(a_part(variant, is_alone=True), setting)
    turns = (setting.folder / "turns.txt").read_text().splitlines()
    assert len(set(turns)) == len(turns) == 2


def test_what_the_machine_cannot_do_fast_is_left_out_and_says_why(setting):
    part = a_part(
        Variant(name="first", make=partial(note, name="first")),
        Variant(name="half", make=fail, precision="bfloat16", rounds_where_slow=0),
    )
    result = run(part, setting, float32=200e9, bfloat16=50e9)
    assert [row.variant for row in result.rows] == ["first"]
    assert result.left_out == {"half": "products run at 50 GFLOP/s in bfloat16 and at 200 in float32 here"}


def sample(seconds: float, foreign: float = 0.0) -> Sample:
    return Sample(seconds=seconds, foreign=foreign, numbers={})


FACTS = {"units": 2.0, "operations": 8.0, "precision": "float32"}


def test_share_and_bound_follow_from_the_product_rate():
    baseline = make_row("textbook", [sample(8.0)], facts={**FACTS, "units": 1.0})
    row = make_row("ours", [sample(4.0)], facts=FACTS, baseline=[sample(8.0)], baseline_units=1.0)
    row = with_bound(row, rates={"float32": 4.0}, baseline=baseline)
    assert row.ratio == 4  # 8 s for one, 2 s for one
    assert row.share == 0.5  # 8 operations in 4 s, where 4 a second are possible
    assert row.bound == 8
    assert row.bound * row.share == row.ratio


def test_disturbed_samples_are_left_out_while_enough_are_clean():
    samples = [sample(1.0), sample(9.0, foreign=0.5), sample(2.0)]
    row = make_row("ours", samples, facts=FACTS)
    assert (row.seconds, row.slowest, row.num_disturbed, row.is_disturbed) == (1.5, 9.0, 1, False)
    row = make_row("ours", [sample(9.0, foreign=0.5)] * 2 + [sample(1.0)], facts=FACTS)
    assert (row.seconds, row.is_disturbed) == (9.0, True)


def test_small_angles_keep_their_digits():
    one, other = np.array([[1.0, 0.0]]), np.array([[1.0, 1e-6]])
    assert compare({"x": other}, {"x": one}).one_minus_cosine == pytest.approx(5e-13, rel=1e-3)
    with pytest.raises(ValueError, match="shapes"):
        compare({"x": np.zeros((1, 3))}, {"x": one})


def test_the_table_goes_between_its_markers():
    row = make_row("ours", [sample(4.0)], facts=FACTS, target=3.0, baseline=[sample(4.0)], baseline_units=2.0)
    row = with_bound(row, rates={"float32": 4.0}, baseline=row)
    result = PartResult(
        name="part", title="some work", unit="clip", rows=(row,), rates={"float32": 4.0}, limits=(),
        note="", left_out={}, seconds=1.0,
    )  # fmt: skip
    table = markdown([result], ENVIRONMENT, is_quick=False)
    assert "| some work | ours | 2 s / clip | 1 | 1 to 1 | 3 | 2 | 50 % |" in table
    assert "aim of 3 missed; the products of this machine allow 2 at most" in table
    document = f"before\n{MARKERS[0]}\nold\n{MARKERS[1]}\nafter\n"
    written = with_table(document, table)
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert "old" not in written
    assert with_table(written, table) == written
    with pytest.raises(ValueError, match="no lines"):
        with_table("no markers", table)


def test_the_page_of_speed_has_places_for_both_tables():
    page = (ROOT / "docs" / "results-speed.md").read_text("utf-8")
    for markers, name in ((MARKERS, "all figures"), (SUMMARY_MARKERS, "the short table")):
        assert name in with_table(page, name, markers=markers)


@pytest.mark.long
def test_the_command_runs_its_smallest_part(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "log-mel", "--quick", "--threads", "1", "--out", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "once per clip" in done.stdout
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["environment"]["torch"]
    assert content["parts"][0]["rows"][1]["ratio"] > 1
    assert "log-mel spectrogram" in (tmp_path / "table.md").read_text()
