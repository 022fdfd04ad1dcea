"""Agreement: where in a video sound and picture belong together, and whether the sound is late.

A video file comes in (`embed_moments`), or prepared clips (`evaluate_agreement`). Out come states of moments,
spans and an offset (`Agreement`), as sentences, CSV, JSON and a figure; or a report with planted faults.

    moments           video -> vectors of moments in equal steps
    reference         clips of other videos to compare with
    chance            agreement with sounds that do not belong to the frames
    offset            the lag at which sound and picture agree best
    states            states of moments, and spans of one state
    judge, result     all of this for one video; config: how
    text, figure      an agreement for people and for programs
    planted_*         videos with known faults: plan, videos, encoders, metrics, figure
    evaluate          are planted faults found?
"""

from cavmae_sync.tasks.agreement.config import AgreementConfig, PlantedConfig
from cavmae_sync.tasks.agreement.evaluate import AgreementReport, evaluate_agreement
from cavmae_sync.tasks.agreement.judge import Judge, judge_agreement
from cavmae_sync.tasks.agreement.moments import EmbeddedMoments, embed_moments
from cavmae_sync.tasks.agreement.reference import Reference, choose_reference, embed_reference
from cavmae_sync.tasks.agreement.result import Agreement

__all__ = [
    "Agreement",
    "AgreementConfig",
    "AgreementReport",
    "EmbeddedMoments",
    "Judge",
    "PlantedConfig",
    "Reference",
    "choose_reference",
    "embed_moments",
    "embed_reference",
    "evaluate_agreement",
    "judge_agreement",
]
