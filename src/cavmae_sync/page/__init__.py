"""Page and HTTP service over a library: search, media by content, exports, teaching.

- `service`: what is served, without HTTP: the library, its model, one search at a time. `queries`: questions
  that are kept. `views`: agreement and maps. `teaching`: taught classes. `indexing`: adding folders.
- `files`: media by content. `pictures`: thumbnails and waveforms. `proxies`: copies that browsers play.
- `worker`: a process that decodes, with limits. `bodies`: what requests hold.
- `app`, `routes`: addresses and their answers; need the extra `search`. `guard`: who may ask, and how much.
- `reference`: the page about the addresses. `static`: the page for people.
"""
