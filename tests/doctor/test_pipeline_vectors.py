"""Vectors of another pipeline: equal, or the fault is named."""

import pytest
import torch

from cavmae_sync.doctor import ExaminedModel, Finding
from cavmae_sync.doctor.faults import drop_registers
from cavmae_sync.doctor.pipeline_vectors import check_pipeline_vectors
from cavmae_sync.embedding import DatasetEmbeddings
from cavmae_sync.exchange.proof import read_proof_clip
from cavmae_sync.inputs import model_input
from cavmae_sync.media import Clip


def outside(examined: ExaminedModel, audio_TD: torch.Tensor, visual_TD: torch.Tensor) -> Finding:
    return check_pipeline_vectors(
        examined,
        DatasetEmbeddings(
            audio_NTD=audio_TD[None],
            visual_NTD=visual_TD[None],
            clip_ids=("clip",),
            labels=((),),
            clip_list="a" * 64,
            weights="b" * 64,
            made_with={},
        ),
    )


@pytest.fixture(scope="module")
def clip() -> Clip:
    return read_proof_clip()


def test_equal_vectors_are_ok(examined: ExaminedModel, clip: Clip):
    ours = examined.embedder.embed(clip)
    assert outside(examined, ours.audio_TD, ours.visual_TD).status == "ok"


def test_two_faults_are_named_each_on_its_side(examined: ExaminedModel, clip: Clip):
    inputs = model_input(clip, examined.model.config.inputs)
    found = outside(
        examined,
        examined.embedder.embed_segments(inputs.segments_TLM / 2),
        examined.embedder.embed_frames(inputs.frames_TCHW.flip(1)).visual_PD,
    )
    assert found.status == "FAIL"
    assert "sound: equal to ours with this fault: twice the deviation" in found.measured
    assert "pictures: equal to ours with this fault: colours swapped" in found.measured


def test_dropped_registers_are_named(examined: ExaminedModel, clip: Clip):
    theirs = examined.embedder.replace(drop_registers(examined.model)).embed(clip)
    found = outside(examined, theirs.audio_TD, theirs.visual_TD)
    assert "equal to ours with this fault: registers dropped" in found.measured


def test_what_no_fault_explains_is_said(examined: ExaminedModel):
    noise = torch.nn.functional.normalize(
        torch.randn(16, examined.model.config.width, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    assert "no fault of the catalogue explains it" in outside(examined, noise, noise).measured


def test_ten_frames_are_told(examined: ExaminedModel, clip: Clip):
    ours = examined.embedder.embed(clip)
    found = outside(examined, ours.audio_TD[:10], ours.visual_TD[:10])
    assert (found.status, "extractor writes" in found.advice) == ("FAIL", True)
