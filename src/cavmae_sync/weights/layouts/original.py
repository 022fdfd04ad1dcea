"""The file that a model was converted from, kept so that it can be given back bit for bit.

Most of its tensors follow from ours. The others are kept as they were, as `kept.` and their own name: norms
that no pass uses and that are not 1 and 0, position tables that differ in the last bit, numbers of more than
32 bits, the class token of an MAE. The header lists all names in their order, with their types.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor

from cavmae_sync.choices import Layout
from cavmae_sync.errors import WeightsError
from cavmae_sync.model.cavmae_sync import CAVMAESync
from cavmae_sync.model.heads import Head
from cavmae_sync.untrusted import parse_json
from cavmae_sync.weights.layouts.check import FLOAT_TYPES
from cavmae_sync.weights.layouts.finetuned import head_to_official
from cavmae_sync.weights.layouts.huggingface import to_huggingface
from cavmae_sync.weights.layouts.mae import is_mae, to_published
from cavmae_sync.weights.layouts.official_names import their_tensors
from cavmae_sync.weights.layouts.recognize import bare_name
from cavmae_sync.weights.weights_file import WeightsFile

#: Start of the names of kept tensors in our files.
KEPT: Final = "kept."
#: Entry of the header that lists the tensors of the file.
ORIGINAL_KEY: Final = "original"

_TYPES: Final = {str(kind).removeprefix("torch."): kind for kind in FLOAT_TYPES}


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """A file of another layout, without the tensors that follow from ours.

    Attributes:
        layout: Its layout.
        types: Type of each tensor by its full name, in the order of the file.
        wrapper: Key of the dictionary that held the tensors; None where they were not wrapped.
        kept: Tensors that do not follow from ours, by full name.
    """

    layout: Layout
    types: Mapping[str, torch.dtype]
    wrapper: str | None
    kept: Mapping[str, Tensor]

    @classmethod
    def of(cls, file: WeightsFile, *, layout: Layout, model: CAVMAESync, head: Head | None = None) -> Self:
        """Keep what is needed of a file that `model` (and `head`) was read from."""
        types = {name: value.dtype for name, value in file.tensors.items()}
        following = _following(layout, types, model, head)
        kept = {
            name: value.clone().contiguous()
            for name, value in file.tensors.items()
            if name not in following or not _is_same(following[name], value)
        }
        return cls(layout=layout, types=types, wrapper=file.wrapper, kept=kept)

    def give_back(self, model: CAVMAESync, head: Head | None = None) -> dict[str, Tensor]:
        """Tensors of the file, in its names, order and types.

        Raises:
            WeightsError: A tensor neither follows from the model nor was kept: the head is missing.
        """
        following = _following(self.layout, self.types, model, head)
        if missing := [name for name in self.types if name not in self.kept and name not in following]:
            raise WeightsError(
                f"{len(missing)} tensors cannot be given back, such as {missing[0]}. A fine-tuned classifier "
                "is given back from its folder, with the probe beside the weights."
            )
        return {name: self.kept[name] if name in self.kept else following[name] for name in self.types}

    def to_header(self) -> str:
        """Text for the header of our files."""
        tensors = [[name, str(kind).removeprefix("torch.")] for name, kind in self.types.items()]
        return json.dumps({"layout": self.layout, "wrapper": self.wrapper, "tensors": tensors})

    @classmethod
    def from_header(cls, text: str, kept: Mapping[str, Tensor]) -> Self:
        """Read the text that `to_header` wrote.

        Raises:
            WeightsError: It is damaged.
        """
        try:
            about = parse_json(text)
            types = {name: _TYPES[kind] for name, kind in about["tensors"]}
            wrapper, layout = about["wrapper"], about["layout"]
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"the header's {ORIGINAL_KEY!r} is damaged ({error})") from error
        in_order = {name: kept[name] for name in types if name in kept}
        return cls(layout=layout, types=types, wrapper=wrapper, kept=in_order)


def _following(
    layout: Layout, types: Mapping[str, torch.dtype], model: CAVMAESync, head: Head | None
) -> dict[str, Tensor]:
    """Tensors of a file that follow from ours, in its names and types."""
    theirs = {name: bare_name(name) for name in types}
    if is_mae(layout):
        found = to_published(model)
        if layout == "huggingface":
            found = to_huggingface(found, theirs.values())
        found |= {
            name.replace("norm.", "fc_norm.", 1): found[name] for name in found if name.startswith("norm.")
        }
    else:
        found = their_tensors(model.state_dict(), model.config)
        if head is not None:
            found |= head_to_official(head)
    return {
        name: found[bare].detach().cpu().to(types[name]).clone()
        for name, bare in theirs.items()
        if bare in found
    }


def _is_same(value: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same bit for bit: -0 is not 0, and NaN is NaN."""
    return value.shape == other.shape and torch.equal(_bytes(value), _bytes(other))


def _bytes(value: Tensor) -> Tensor:
    return value.contiguous().reshape(-1).view(torch.uint8)
