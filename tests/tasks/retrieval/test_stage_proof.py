"""The proof of a stage blames a stage that gives itself away, and no other."""

import json

import pytest
import torch

from cavmae_sync.tasks.retrieval.cue_baselines import compare_curves
from cavmae_sync.tasks.retrieval.stage_proof import MIN_CLIPS, ProofRow, StageProof, _rows


def curves(num_clips, *, strength):
    """Curves of a sound at five lags, and of frames that follow it as strongly as asked."""
    generator = torch.Generator().manual_seed(0)
    sound_NT = torch.randn(num_clips, 16, generator=generator)
    noise_NT = torch.randn(num_clips, 16, generator=generator)
    return sound_NT[:, None].expand(-1, 5, -1), strength * sound_NT + (1 - strength) * noise_NT


def proof_of(strength, *, num_clips=300):
    rows = tuple(
        _rows("rule", "loudness against brightness", compare_curves(*curves(num_clips, strength=strength)))
    )
    return StageProof(stage="invented", num_clips=num_clips, rows=rows)


def test_a_stage_whose_brightness_follows_its_loudness_is_blamed():
    proof = proof_of(0.5)
    assert {row.measure for row in proof.above_chance()} == {"both", "what", "when", "moment"}
    assert proof.verdict.startswith("Rules that learn nothing are above chance. ")
    assert "when: loudness against brightness, " in proof.verdict


def test_a_stage_without_any_such_cue_is_not():
    proof = proof_of(0.0)
    assert proof.above_chance() == ()
    assert "All 4 numbers of rules are at chance" in proof.verdict


def test_few_clips_prove_nothing():
    assert f"{MIN_CLIPS} are needed" in proof_of(0.5, num_clips=20).verdict


def test_probabilities_are_those_of_guessing():
    """A hundred clips of which four are found in each direction, where one is expected."""
    found = next(row for row in proof_of(0.0, num_clips=100).rows if row.measure == "when")
    num_right = round(found.value * 200)
    by_hand = 1 - sum(
        torch.exp(torch.lgamma(torch.tensor(201.0)) - torch.lgamma(torch.tensor(k + 1.0))
                  - torch.lgamma(torch.tensor(201.0 - k))) * 0.01**k * 0.99 ** (200 - k)
        for k in range(num_right)
    )  # fmt: skip
    assert found.p_value == pytest.approx(float(by_hand), abs=1e-3)


def test_more_comparisons_need_a_smaller_probability():
    row = ProofRow(
        group="rule", name="a", measure="when", value=0.02, low=0.0, high=0.04, chance=0.01, p_value=0.004
    )
    assert len(StageProof(stage="one", num_clips=500, rows=(row,)).above_chance()) == 1
    assert StageProof(stage="many", num_clips=500, rows=(row,) * 40).above_chance() == ()


def test_the_file_holds_all_numbers():
    content = json.loads(proof_of(0.5).to_json())
    assert content["stage"] == "invented"
    assert content["verdict"]
    assert {row["measure"] for row in content["rows"]} == {"both", "what", "when", "moment"}
