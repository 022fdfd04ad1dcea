"""A tiny PE-AV of random weights, as transformers saves it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

SIZES = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2,
    "head_dim": 16,
}  # fmt: skip
WORDS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "dog", "barks", "rain")


@pytest.fixture(scope="module")
def tiny_pe_av(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the model. Its vision tower is a ViT of transformers: the published one needs timm."""
    transformers = pytest.importorskip("transformers")
    patch = pytest.MonkeyPatch()
    video = "transformers.models.pe_video.modeling_pe_video.AutoModelForImageClassification.from_config"
    patch.setattr(video, lambda config, **_: _vision(transformers, config))
    folder = tmp_path_factory.mktemp("pe-av")
    torch.manual_seed(0)
    model = transformers.PeAudioVideoModel(_config(transformers))
    with torch.no_grad():  # random models hardly tell things apart: make them
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.mul_(4)
    model.save_pretrained(folder)
    sizes = {"size": {"height": 16, "width": 16}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(sizes))
    sounds = {"sampling_rate": 48_000, "hop_length": 16}
    (folder / "preprocessor_config.json").write_text(json.dumps(sounds))
    _tokenizer(transformers).save_pretrained(folder)
    yield folder
    patch.undo()


def _vision(transformers: Any, config: Any) -> Any:
    sizes = dict.fromkeys(("hidden_size", "intermediate_size", "image_size"), 16)
    return transformers.ViTForImageClassification(
        transformers.ViTConfig(
            **sizes, patch_size=8, num_hidden_layers=1, num_attention_heads=2, num_labels=config.num_labels
        )
    )


def _config(transformers: Any) -> Any:
    codec = {
        "encoder_hidden_size": 4, "downsampling_ratios": [4, 4], "hidden_size": 8, "codebook_dim": 8,
        "decoder_hidden_size": 8, "upsampling_ratios": [4, 4], "hop_length": 16,
    }  # fmt: skip
    numbers = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    text = {name: SIZES[name] for name in SIZES if name != "head_dim"}
    return transformers.PeAudioVideoConfig(
        text_config={"model_type": "modernbert", "vocab_size": len(WORDS), **text, **numbers},
        audio_video_config={
            **SIZES,
            "audio_config": {**SIZES, "dac_config": codec},
            "video_config": {**SIZES, "vision_config": {"num_classes": 12}},
        },
    )


def _tokenizer(transformers: Any) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, **names)
