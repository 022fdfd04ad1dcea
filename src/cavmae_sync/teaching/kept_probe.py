"""A linear rule as a probe that `classify`, `search` and the service read, like any other."""

from typing import Final

import torch

from cavmae_sync.embedding.library import Library
from cavmae_sync.model.heads import HeadConfig, LinearHead
from cavmae_sync.tasks.classification.features import FeatureConfig
from cavmae_sync.tasks.classification.probe import Probe
from cavmae_sync.teaching.fitting import Fitted
from cavmae_sync.teaching.names import TaughtSense

_MODALITIES: Final = {"sound": "audio", "picture": "visual", "both": "both"}


def probe_of(fitted: Fitted, library: Library, *, name: str, sense: TaughtSense) -> Probe:
    """Probe with one class, on the vectors that a library holds.

    Args:
        fitted: The rule.
        library: The library that it was fitted in; its model is that of the probe.
        name: Name of the class.
        sense: What it hears or sees.
    """
    config = HeadConfig(kind="linear", width=len(fitted.weights_D), num_classes=1)
    head = LinearHead(config)
    with torch.no_grad():
        head.classify.weight.copy_(torch.from_numpy(fitted.weights_D)[None])
        head.classify.bias.fill_(fitted.bias)
    with library.catalogue() as catalogue:
        model = catalogue.fact("model")
    encoder = library.record.encoder
    features = {
        "depth": "joint",
        "tokens": encoder.made_with.get("representation", "global"),
        "modalities": _MODALITIES[sense],
        "length": "unit",
    }
    return Probe(
        head=head,
        head_config=config,
        classes=(name,),
        features=FeatureConfig.model_validate(features),
        loss="bce",
        weights=encoder.weights,
        model_path=model,
    )
