"""Maps: where in a frame a sound is, patch by patch; and which part of a sound belongs to a frame.

In: an embedder, frames and vectors of sounds. Out: maps of small grids. Several tasks show or measure them.

- `config`: `MapConfig`, how a map is made: by cosine (the paper), as DenseAV did, by masking or attention.
- `views`: which patches each masked view of an input shows.
- `regression`: values of views to coefficients of patches.
- `attention`: what attention carries from each patch to the vector of a frame.
- `vectors`: vectors of patches and of sounds, whose products are the map.
- `products`: the map itself, and its size.
- `sound_parts`: how much each moment of a sound belongs to a frame.

Every rule gives one vector for each patch and one for the sound. Their product is the map. So the map of a
mean of sounds is the mean of their maps, and another sound costs nothing but a product.
"""

from cavmae_sync.maps.config import MapConfig
from cavmae_sync.maps.products import colour_scale, localization_maps, resized_maps
from cavmae_sync.maps.vectors import masked_vectors, patch_vectors, sound_vectors

__all__ = [
    "MapConfig",
    "colour_scale",
    "localization_maps",
    "masked_vectors",
    "patch_vectors",
    "resized_maps",
    "sound_vectors",
]
