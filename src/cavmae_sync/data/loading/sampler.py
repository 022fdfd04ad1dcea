"""Order of clips in training: an endless sequence of batches whose whole state is one integer.

Batch number b of the run (of all processes together) depends on the seed and b alone. Any number of processes
can share it, any number of workers can load it, and a run can resume at any b.

Shapes: N clips of the dataset.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.data.draws import Draw, Purpose, random_words


class ClipOrder:
    """Order of the clips in every epoch.

    Without weights, an epoch is a permutation of all clips. With weights, it is as many draws as there are
    clips, with replacement, with probabilities in proportion to the weights.

    Args:
        num_clips: Clips of the dataset.
        seed: Seed of the run.
        weights_N: Weight of each clip, finite and >= 0, or None.

    Raises:
        ValueError: No clips, or weights of the wrong length or range.
    """

    def __init__(self, num_clips: int, *, seed: int, weights_N: NDArray[np.float64] | None = None) -> None:
        if num_clips < 1:
            raise ValueError(f"an order needs one clip at least, got num_clips={num_clips}")
        if weights_N is not None:
            _check_weights(weights_N, num_clips)
        self.num_clips = num_clips
        self.seed = seed
        cumulative_N = None if weights_N is None else np.cumsum(weights_N)
        # Divided by its own last entry. `np.sum` rounds in another way: a draw could lie beyond the last
        # clip.
        self._cumulative_N = None if cumulative_N is None else cumulative_N / cumulative_N[-1]

    def clips(self, epoch: int) -> NDArray[np.int64]:
        """Rows of the clips of one epoch, in order, int64 of length `num_clips`."""
        words = random_words(self.seed, Purpose.ORDER, Draw(epoch, 0), num=self.num_clips)
        if self._cumulative_N is None:
            return np.argsort(words, kind="stable")
        uniform = (words >> np.uint64(11)) * 2.0**-53
        return np.searchsorted(self._cumulative_N, uniform, side="right").astype(np.int64)

    def stretches(self) -> NDArray[np.int64] | None:
        """Number of the stretch of each place of an epoch, where clips are read in stretches."""
        return None

    def occurrences(self, clips_N: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of earlier draws of the same clip in the epoch, for each draw."""
        if self._cumulative_N is None:
            return np.zeros_like(clips_N)
        by_clip = np.argsort(clips_N, kind="stable")
        ordered = clips_N[by_clip]
        first = np.searchsorted(ordered, ordered, side="left")
        counts = np.empty_like(clips_N)
        counts[by_clip] = np.arange(len(clips_N)) - first
        return counts


class BatchDraws(list[Draw]):
    """Draws of this process in one batch.

    Attributes:
        batch: Number of the batch in the run, from 0.
        first_place: Place of the first draw in the batch of all processes.
        ahead: Clips whose files are worth reading from end to end now, because this batch and the next ones
            need them.
    """

    def __init__(
        self, draws: Iterable[Draw], *, batch: int, first_place: int, ahead: Sequence[int] = ()
    ) -> None:
        super().__init__(draws)
        self.batch, self.first_place, self.ahead = batch, first_place, ahead


class ClipSampler:
    """Sampler of the clips of this process in each batch, for `DataLoader(batch_sampler=...)`.

    The last clips of an epoch are dropped if they are fewer than a batch. The next epoch follows without a
    pause, so that workers of the loader never stop. To save a run, save the number of batches consumed; to
    resume it, give that number as `first_batch`.

    Args:
        order: The order of clips.
        batch_size: Clips of one batch, of all processes together.
        first_batch: Number of batches consumed so far.
        stop_batch: Batch to stop before, counted from the start of the run; None never stops.
        rank: Number of this process.
        num_processes: Number of processes; divides `batch_size`.

    Raises:
        ValueError: The batch is larger than the dataset or no multiple of `num_processes`, or a number is out
            of range.
    """

    def __init__(
        self,
        order: ClipOrder,
        *,
        batch_size: int,
        first_batch: int = 0,
        stop_batch: int | None = None,
        rank: int = 0,
        num_processes: int = 1,
    ) -> None:
        if not 1 <= batch_size <= order.num_clips:
            raise ValueError(
                f"a batch needs between 1 and {order.num_clips} clips (all there are), got {batch_size}"
            )
        if not 0 <= rank < num_processes or batch_size % num_processes:
            raise ValueError(
                f"batch_size must be a multiple of num_processes and 0 <= rank < num_processes, got "
                f"batch_size={batch_size}, rank={rank}, num_processes={num_processes}"
            )
        if first_batch < 0 or (stop_batch is not None and stop_batch < first_batch):
            raise ValueError(f"need 0 <= first_batch <= stop_batch, got {first_batch} and {stop_batch}")
        self.order = order
        self.batch_size = batch_size
        self.first_batch = first_batch
        self.stop_batch = stop_batch
        share = batch_size // num_processes
        self._share = slice(rank * share, (rank + 1) * share)

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches of an epoch."""
        return self.order.num_clips // self.batch_size

    def __len__(self) -> int:
        """Number of batches still to come.

        Raises:
            TypeError: The sampler never stops.
        """
        if self.stop_batch is None:
            raise TypeError("a ClipSampler without stop_batch never ends and has no length")
        return self.stop_batch - self.first_batch

    def __iter__(self) -> Iterator[BatchDraws]:
        """Yield batches `first_batch`, `first_batch + 1`, ..."""
        batch = self.first_batch
        while self.stop_batch is None or batch < self.stop_batch:
            epoch, within = divmod(batch, self.batches_per_epoch)
            stop = self.batches_per_epoch
            if self.stop_batch is not None:
                stop = min(stop, within + self.stop_batch - batch)
            yield from self._epoch(epoch, range(within, stop))
            batch += stop - within

    def _epoch(self, epoch: int, batches: range) -> Iterator[BatchDraws]:
        clips_N = self.order.clips(epoch)
        occurrences_N = self.order.occurrences(clips_N)
        stretches = _Stretches(self.order.stretches(), clips_N)
        for batch in batches:
            mine = np.arange(batch * self.batch_size, (batch + 1) * self.batch_size)[self._share]
            draws = zip(clips_N[mine].tolist(), occurrences_N[mine].tolist(), strict=True)
            yield BatchDraws(
                (Draw(epoch, clip, occurrence) for clip, occurrence in draws),
                batch=epoch * self.batches_per_epoch + batch,
                first_place=self._share.start,
                ahead=stretches.begun_by(mine),
            )


class _Stretches:
    """Clips of the stretches that a batch is the first to need, of one epoch."""

    def __init__(self, stretches_Q: NDArray[np.int64] | None, clips_N: NDArray[np.int64]) -> None:
        self._stretches_Q, self._begun = stretches_Q, set[int]()
        if stretches_Q is not None:
            self._by_stretch_Q = np.argsort(stretches_Q, kind="stable")
            self._sorted_Q, self._clips_N = stretches_Q[self._by_stretch_Q], clips_N

    def begun_by(self, places: NDArray[np.int64]) -> list[int]:
        """Clips in ascending order, so that neighbours in a file are read as one."""
        if self._stretches_Q is None:
            return []
        new = set(self._stretches_Q[places].tolist()) - self._begun
        self._begun |= new
        found: list[int] = []
        for stretch in new:
            first, stop = np.searchsorted(self._sorted_Q, [stretch, stretch + 1])
            found += self._clips_N[self._by_stretch_Q[first:stop]].tolist()
        return sorted(found)


def _check_weights(weights_N: NDArray[np.float64], num_clips: int) -> None:
    if weights_N.shape != (num_clips,):
        raise ValueError(f"there must be one weight for each of {num_clips} clips, got {weights_N.shape}")
    if not (np.isfinite(weights_N).all() and (weights_N >= 0).all() and weights_N.sum() > 0):
        raise ValueError("weights must be finite and >= 0, and not all 0")
