"""HTTP service over a library: search by upload, moments of the library, thumbnails, waveforms, media by id.

- `service`: what is served, without HTTP: the library, its model, one search at a time.
- `app`: addresses and their answers. `guard`: who may ask, and how much. `reference`: the page about it.
- `pictures`: thumbnails and waveforms, made when they are asked for and kept within bounds.
"""

from cavmae_sync.page.app import make_app
from cavmae_sync.page.service import SearchService

__all__ = ["SearchService", "make_app"]
