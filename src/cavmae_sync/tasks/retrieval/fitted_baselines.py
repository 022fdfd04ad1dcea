"""Fitted baselines: canonical correlations of spectra and 12 x 12 pictures, the best linear model.

They learn, but from two kinds of numbers that no network made. What a model has above them needed more than a
linear fit.

Letters: N clips, T frames per clip, D numbers of a spectrum or of a picture.
"""

from typing import Final, Literal

from torch import Tensor
from torch.nn import functional as F

from cavmae_sync.metrics.canonical import canonical_directions
from cavmae_sync.tasks.retrieval.clip_cues import ClipCues
from cavmae_sync.tasks.retrieval.measures import Measures, Pair, measure_vectors

#: What correlations are fitted on: means of clips (WHAT), single moments, or moments without the mean of
#: their clip (WHEN).
Fit = Literal["clip means", "moments", "changes"]

FITS: Final[tuple[Fit, ...]] = ("clip means", "moments", "changes")

#: Directions, and the ridge as a share of the mean variance. Among 8, 32 and 96 directions and ridges of
#: 0.01, 0.1 and 1 these were best on generated clips (208 clips to fit).
_NUM_DIRECTIONS: Final = 32
_RIDGE: Final = 1.0


def fitted_baselines(
    train: ClipCues, test: ClipCues, *, hits_NTT: Tensor | None = None
) -> dict[str, Measures]:
    """Measures of canonical correlations, by name: "linear fit of moments" and so on.

    Args:
        train: Cues of training clips, with the same windows.
        test: Cues of the clips to measure on.
        hits_NTT: Moments of a test clip with the same true state; None where no truth is known.
    """
    return {
        f"linear fit of {fit}": measure_vectors(fitted_vectors(train, test, fit=fit), hits_NTT=hits_NTT)
        for fit in FITS
        if fit != "changes" or test.spectra_NTM.shape[1] > 1
    }


def fitted_vectors(train: ClipCues, test: ClipCues, *, fit: Fit) -> Pair:
    """Unit vectors of test clips from correlations that were fitted on training clips."""
    spectra_ND = _numbers_to_fit(train.spectra_NTM, fit)
    pictures_ND = _numbers_to_fit(train.pictures_NTG, fit)
    most = min(_NUM_DIRECTIONS, spectra_ND.shape[1], pictures_ND.shape[1])
    found = canonical_directions(spectra_ND, pictures_ND, num_directions=most, ridge=_RIDGE)
    spectra_NTD, pictures_NTD = test.spectra_NTM.double(), test.pictures_NTG.double()
    if fit == "changes":
        spectra_NTD, pictures_NTD = _changes(spectra_NTD), _changes(pictures_NTD)
    # A clip that never changes has no direction, and its zero stays zero: it fits nothing better than
    # anything else. Numbers that are not finite stay so.
    return Pair(
        audio_NTD=F.normalize(found.project_first(spectra_NTD).float(), dim=-1),
        visual_NTD=F.normalize(found.project_second(pictures_NTD).float(), dim=-1),
    )


def _numbers_to_fit(numbers_NTD: Tensor, fit: Fit) -> Tensor:
    if fit == "clip means":
        return numbers_NTD.mean(dim=1)
    return (_changes(numbers_NTD) if fit == "changes" else numbers_NTD).flatten(0, 1)


def _changes(numbers_NTD: Tensor) -> Tensor:
    return numbers_NTD - numbers_NTD.mean(dim=1, keepdim=True)
