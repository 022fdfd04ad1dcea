"""Values of options and fields that have a fixed set of words.

They are here and not beside the code that they choose, so that `--help` need not load torch.
"""

from typing import Literal

#: Precision of matrix products where gradients are needed.
TrainingPrecision = Literal["float32", "bfloat16", "float16"]

#: Precision of matrix products where no gradients are needed. "int8" rounds weights and activations of the
#: linear layers to 8 bits; see `compute/int8.py`.
Precision = Literal[TrainingPrecision, "int8"]

#: Type in which gradients travel between processes. They are summed in it, and kept in float32.
GradientSync = Literal["float32", "bfloat16"]

#: What each of several processes keeps: all parameters ("ddp"), or a part of them ("fsdp").
Parallel = Literal["ddp", "fsdp"]

#: Vector that stands for a segment or a frame in a comparison.
Representation = Literal["global", "patch_mean"]

#: How the similarities of all pairs of frames and segments of two clips become one score.
AggregationName = Literal["diagonal_mean", "diagonal_max", "block_mean", "block_max"]

#: Place that a query's own clip takes among clips of equal score.
TieRule = Literal["mean", "optimistic", "pessimistic"]

#: "official" counts ties and NaN as the published code does, wrongly; for parity checks only.
Counting = Literal[TieRule, "official"]

#: Part of the generated objects that may appear.
Split = Literal["train", "validation", "test"]

#: Recordings that are the sound of an object in the real pack: of the thing, of its spoken name, or both.
Voice = Literal["effects", "names", "both"]

#: Tokens that give the feature of a frame and of its segment in classification (paper, Table 12).
TokenKind = Literal["global", "patch_mean", "register_mean"]

#: Place in the model where features for classification are taken; see `FeatureConfig`.
FeatureDepth = Literal["encoder", "joint", "official"]

#: Length of a feature: as the model gives it, or 1 for each modality, as libraries hold vectors.
FeatureLength = Literal["raw", "unit"]

#: Modalities that a classifier reads (paper, Table 10), or that tell states of a video apart.
Modalities = Literal["audio", "visual", "both"]

#: "transformer" is the paper's head, "linear" is logistic regression on the mean over time.
HeadKind = Literal["transformer", "linear"]

#: "bce" decides each class by itself (several labels per clip), "ce" chooses one class.
ClassLoss = Literal["bce", "ce"]

#: Use of the model while a classifier is trained on it; see `ProbeConfig.backbone`.
BackboneUse = Literal["cached", "frozen", "trained"]

#: Size of an experiment: generated clips and small models, or the published data and models.
Scale = Literal["stage", "full"]

#: Sound that prompts the segmentation of a generated clip: the frame's own, or that of another clip.
StagePrompt = Literal["own", "other"]

#: Rule that makes a map of a sound and a frame. "cosine" (the paper): cosine of the sound's vector with every
#: patch. "denseav" (what DenseAV did with CAV-MAE): dot products, not divided by lengths, of every patch of
#: the sound with every patch of the frame, averaged over frequency and over the time that has sound.
#: "masking": what showing the patch adds to the cosine of sound and frame; see `maps/vectors.py`.
#: "attention": what attention carries from the patch to the vector of the frame; see `maps/attention.py`.
MapRule = Literal["cosine", "denseav", "masking", "attention"]

#: Names that the tensors of a weights file have: ours, the authors' (Sync, plain CAV-MAE, a fine-tuned
#: classifier), or those of an ImageNet MAE (the published one, timm's, Hugging Face's).
Layout = Literal["ours", "sync", "cavmae", "finetuned", "mae", "timm", "huggingface"]

#: Part of a published list of clips.
ListSplit = Literal["train", "test"]

#: What varies in an interval of recall at another gallery size: other clips, or the missing ones.
IntervalOver = Literal["clips", "missing"]

#: How a class is written: by its name, or by its id in the class list ("/m/09x0r", "vgg_0").
LabelNames = Literal["name", "mid"]

#: Format in which a list of clips is written.
ListFormat = Literal["json", "csv", "text"]

#: Where jobs are submitted to.
Cluster = Literal["slurm", "local", "debug"]

#: Engine that spreads units of work: processes of this machine, or Ray.
Engine = Literal["local", "ray"]

#: Encoders of libraries that can be opened here.
EncoderName = Literal["cavmae-sync", "pe-av"]

#: Formats in which moments go to an edit.
EditFormat = Literal["otio", "fcp7", "fcpxml", "edl", "resolve-edl", "csv", "html"]
