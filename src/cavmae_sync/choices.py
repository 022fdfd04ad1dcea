"""Words that people may write on the command line, apart from what they choose between.

They stand here, and not beside what they name, so that `--help` need not load torch.
"""

from typing import Literal

#: Precision of matrix products where gradients are needed.
TrainingPrecision = Literal["float32", "bfloat16", "float16"]

#: Precision of matrix products where no gradients are needed. "int8" rounds weights and activations of the
#: linear layers to 8 bits; see `compute/int8.py`.
Precision = Literal[TrainingPrecision, "int8"]

#: What stands for a segment or a frame when they are compared.
Representation = Literal["global", "patch_mean"]

#: How the similarities of all pairs of frames and segments of two clips become one score (spec 4.1).
AggregationName = Literal["diagonal_mean", "diagonal_max", "block_mean", "block_max"]

#: Which of the places shared with equal scores a query's own clip takes.
TieRule = Literal["mean", "optimistic", "pessimistic"]

#: "official" counts ties and NaN as the published code does, wrongly; for parity checks only.
Counting = Literal[TieRule, "official"]

#: Which part of the generated objects may appear.
Split = Literal["train", "validation", "test"]

#: What stands for a frame, and for its segment, in classification (spec 4.3, Table 12).
TokenKind = Literal["global", "patch_mean", "register_mean"]

#: Where in the model features for classification are taken; see `FeatureConfig`.
FeatureDepth = Literal["encoder", "joint", "official"]

#: Whose vectors are looked at: by a classifier (spec 4.3, Table 10), or to tell states of a video apart
#: (spec 4.6).
Modalities = Literal["audio", "visual", "both"]

#: "transformer" is the paper's head, "linear" is logistic regression on the mean over time (spec 4.2).
HeadKind = Literal["transformer", "linear"]

#: "bce" decides each class by itself (several labels per clip), "ce" chooses one class.
ClassLoss = Literal["bce", "ce"]

#: What becomes of the model when a classifier is trained on it; see `ProbeConfig.backbone`.
BackboneUse = Literal["cached", "frozen", "trained"]

#: Size of an experiment: generated clips and small models, or the published data and models.
Scale = Literal["stage", "full"]

#: Which sound asks in segmentation of generated clips: the frame's own, or that of another clip.
StagePrompt = Literal["own", "other"]

#: How a map is made of a sound and a picture. "cosine": of the sound's vector with every patch (the paper's
#: paragraph). "denseav": what DenseAV did with CAV-MAE: dot products, not divided by lengths, of every patch
#: of the sound with every patch of the picture, averaged over frequency and over the time that has sound.
MapRule = Literal["cosine", "denseav"]

#: Which names the tensors of a weights file have: ours, the authors' (Sync, plain CAV-MAE, a fine-tuned
#: classifier), or those of an ImageNet MAE (the published one, timm's, Hugging Face's).
Layout = Literal["ours", "sync", "cavmae", "finetuned", "mae", "timm", "huggingface"]

#: Which part of a published list of clips.
ListSplit = Literal["train", "test"]

#: What an interval of recall at another gallery size is over: other clips of the kind, or the missing ones.
IntervalOver = Literal["clips", "missing"]

#: How a class is written: by its name, or by its id in the class list ("/m/09x0r", "vgg_0").
LabelNames = Literal["name", "mid"]

#: Format in which a list of clips is written.
ListFormat = Literal["json", "csv", "text"]

#: Where jobs are submitted to.
Cluster = Literal["slurm", "local", "debug"]

#: What spreads units of work: processes of this machine, or Ray.
Engine = Literal["local", "ray"]
