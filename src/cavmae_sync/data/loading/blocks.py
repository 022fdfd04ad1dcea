"""Order of clips in blocks of neighbours, for disks where a request costs more than its bytes.

    dataset   |0 1 2 3|4 5 6 7|8 9 ...     blocks of consecutive clips; their borders move from epoch to epoch
    stream    8 9 .. 0 1 2 3 .. 4 5 6 7    blocks in random order
    lanes     8 9 .. | 0 1 2 3 .. | ...    the stream in equal pieces; every batch takes as much of each
    buffer    (2 8 0 9) (7 1 ...)          a lane is shuffled within stretches of several blocks

When a stretch begins, all of it is read ahead, block by block. A lane gives the same places of every batch,
so processes on different machines read different blocks.

N clips, J lanes, K places of a lane in an epoch, Q clips of an epoch without those that fill no batch.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cavmae_sync.data.draws import Draw, Purpose, random_words
from cavmae_sync.data.loading.sampler import ClipOrder

#: Lanes at most: as many machines read no block of another.
_MOST_LANES = 16


class BlockOrder(ClipOrder):
    """Order in which clips are read in blocks: every clip once an epoch, but not in every order.

    Args:
        num_clips: Clips of the dataset.
        seed: Seed of the run.
        batch_size: Clips of one batch, of all processes together.
        block_clips: Clips of a block.
        buffer_clips: Clips among which the next one is chosen, over all lanes.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self, num_clips: int, *, seed: int, batch_size: int, block_clips: int, buffer_clips: int
    ) -> None:
        super().__init__(num_clips, seed=seed)
        if not (1 <= batch_size <= num_clips and block_clips >= 1 and buffer_clips >= 1):
            raise ValueError(
                f"need 1 <= batch_size <= num_clips={num_clips}, block_clips >= 1 and buffer_clips >= 1, got "
                f"batch_size={batch_size}, block_clips={block_clips}, buffer_clips={buffer_clips}"
            )
        self.block_clips = block_clips
        self.num_lanes = math.gcd(batch_size, _MOST_LANES)
        self.lane_batch = batch_size // self.num_lanes
        self.num_batches = num_clips // batch_size
        stretch = max(block_clips, buffer_clips // self.num_lanes)
        lane_J1 = np.arange(self.num_lanes)[:, None]
        place_K = np.arange(self.num_batches * self.lane_batch)
        # Each lane begins a stretch at another time, so that equally much is read ahead for every batch.
        number_JK = (place_K + lane_J1 * stretch // self.num_lanes) // stretch
        self._stretch_JK = number_JK + lane_J1 * (number_JK.max() + 1)

    def clips(self, epoch: int) -> NDArray[np.int64]:
        """Rows of the clips of one epoch, in order, int64 of length `num_clips`."""
        stream_N = self._blocks(epoch)
        stream_JK = stream_N[: self._stretch_JK.size].reshape(self._stretch_JK.shape)
        words = random_words(self.seed, Purpose.BUFFER, Draw(epoch, 0), num=stream_JK.size)
        order_JK = np.lexsort((words.reshape(stream_JK.shape), self._stretch_JK), axis=1)
        shuffled_JK = np.take_along_axis(stream_JK, order_JK, axis=1)
        return np.concatenate([self._by_batch(shuffled_JK), stream_N[stream_JK.size :]])

    def stretches(self) -> NDArray[np.int64]:
        """Number of the stretch of each place of an epoch, int64 `[Q]`: what is read ahead together."""
        return self._by_batch(self._stretch_JK)

    def _blocks(self, epoch: int) -> NDArray[np.int64]:
        """Clips with their blocks in random order."""
        first, *words = random_words(
            self.seed, Purpose.ORDER, Draw(epoch, 0), num=self.num_clips // self.block_clips + 3
        )
        shift = int(first % np.uint64(self.block_clips))
        block_N = (np.arange(self.num_clips) + shift) // self.block_clips
        return np.argsort(np.array(words)[block_N], kind="stable")

    def _by_batch(self, values_JK: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of lanes as places of batches."""
        parts = values_JK.reshape(self.num_lanes, self.num_batches, self.lane_batch)
        return parts.transpose(1, 0, 2).ravel()
