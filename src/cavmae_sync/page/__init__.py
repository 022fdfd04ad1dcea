"""HTTP service over a library: search by upload, moments of the library, thumbnails, waveforms, media by id.

- `service`: what is served, without HTTP: the library, its model, one search at a time.
- `app`: addresses and their answers; needs the extra `search`. `guard`: who may ask, and how much.
- `reference`: the page about the addresses. `pictures`: thumbnails and waveforms, made when asked for.
"""
