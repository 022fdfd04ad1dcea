"""Layout of a file, told from the names of its tensors alone."""

from collections.abc import Iterable

from cavmae_sync.choices import Layout
from cavmae_sync.errors import WeightsError

#: DataParallel puts the first before every name, torch.compile the second into names.
PREFIX = "module."
_COMPILED = "_orig_mod."


def bare_name(name: str) -> str:
    """Name of a tensor without what DataParallel and torch.compile put into it, once or several times.

    >>> bare_name("module._orig_mod.module.blocks.0._orig_mod.norm1.weight")
    'blocks.0.norm1.weight'
    """
    name = name.replace(_COMPILED, "")
    while name.startswith(PREFIX):
        name = name.removeprefix(PREFIX)
    return name


def recognize(names: Iterable[str]) -> Layout:
    """Layout of a file with tensors of these names.

    Args:
        names: With or without what DataParallel and torch.compile put into them.

    Raises:
        WeightsError: The layout is not known; the message shows the first names. Or only some of the names
            have the prefix.
    """
    given = list(names)
    starts = [name.replace(_COMPILED, "").startswith(PREFIX) for name in given]
    prefixed = sum(starts)
    if prefixed not in (0, len(given)):
        odd = given[starts.index(prefixed < len(given) / 2)]
        raise WeightsError(
            f"{prefixed} of {len(given)} names begin with {PREFIX!r}, the others do not ({odd}). "
            "Two checkpoints were mixed; take one."
        )
    found = {bare_name(name) for name in given}

    def has(start: str) -> bool:
        return any(name.startswith(start) for name in found)

    if has("audio.patch_embed.") and has("visual.patch_embed."):
        return "ours"
    if has("patch_embed_a.") or has("blocks_a."):
        if has("cls_cls_token") or has("classifier_") or has("mlp_head."):
            return "finetuned"
        has_sync_tokens = "cls_token_a" in found or "register_tokens" in found
        return "sync" if has_sync_tokens else "cavmae"
    if has("vit.embeddings.") or has("embeddings.patch_embeddings."):
        return "huggingface"
    if has("patch_embed.proj.") and has("blocks.0."):
        return "mae" if has("decoder_") else "timm"
    shown = ", ".join(sorted(found)[:4]) or "none at all"
    raise WeightsError(
        f"tensors of a model that is not known here ({len(given)}: {shown}). Readable are CAV-MAE Sync, "
        "CAV-MAE, their fine-tuned classifiers, and ViT MAE in its own, timm's and Hugging Face's names."
    )
