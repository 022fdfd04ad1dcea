"""Every constant of the method, each with its source. Nothing is computed here or repeated elsewhere.

Sources, in square brackets: [paper: ...] is arXiv 2505.01237; [code: ...] is edsonroteia/cav-mae-sync
@21d15c2 (Sync) or YuanGongND/cav-mae @68fe8c2 (CAV-MAE); [dev: ...] is the author's development branch of
2024-10; [imagenet: ...] is the usual statistics. Disagreements between them: docs/paper-vs-code.md.
"""

from types import MappingProxyType
from typing import Final

# ---- sound -----------------------------------------------------------------------------------------------

#: Sample rate of all sound, in hertz. [code: CAV-MAE src/preprocess/extract_audio.py]
SAMPLE_RATE_HZ: Final = 16_000
#: Mel bins of a spectrogram frame. [code: Sync src/dataloader_sync.py]
NUM_MELS: Final = 128
#: Hop of the spectrogram in milliseconds. [code: Sync src/dataloader_sync.py, frame_shift]
HOP_MILLISECONDS: Final = 10
#: Analysis window in milliseconds. [code: Kaldi default of torchaudio.compliance.kaldi.fbank]
WINDOW_MILLISECONDS: Final = 25
#: Pre-emphasis coefficient. [code: Kaldi default of torchaudio.compliance.kaldi.fbank]
PREEMPHASIS: Final = 0.97
#: Lowest frequency of the mel filters in hertz. [code: Kaldi default of torchaudio.compliance.kaldi.fbank]
LOW_FREQUENCY_HZ: Final = 20.0
#: Energies are floored here before the logarithm: float32 epsilon. [code: torchaudio.compliance.kaldi]
LOG_FLOOR: Final = 1.1920928955078125e-07
#: Mean of log-mel values over AudioSet. [code: Sync src/retrieval.py, dataset_mean]
SPECTROGRAM_MEAN: Final = -5.081
#: Standard deviation of log-mel values over AudioSet. [code: Sync src/retrieval.py, dataset_std]
SPECTROGRAM_STD: Final = 4.4849
#: Spectrogram frames a clip is padded or cut to before cutting. [code: Sync src/dataloader_sync.py]
SPECTROGRAM_LENGTH: Final = 1024
#: Value of padded spectrogram frames, in the log-mel domain. [code: Sync src/dataloader_sync.py, ZeroPad2d]
SPECTROGRAM_PADDING: Final = 0.0
#: Spectrogram frames of one segment, "4 s". [paper: text; code: Sync src/retrieval.py, target_length]
SEGMENT_LENGTH: Final = 416
#: Published names of segment lengths. No formula gives them. [code: Sync src/retrieval.py, target_length]
SEGMENT_LENGTHS: Final = MappingProxyType(
    {
        "1s": 96,
        "2s": 192,
        "3s": 304,
        "4s": 416,
        "5s": 512,
        "6s": 624,
        "7s": 720,
        "8s": 816,
        "9s": 912,
        "10s": 1024,
    }
)

# ---- frames ----------------------------------------------------------------------------------------------

#: Frames of one clip. [paper: text; code: Sync src/retrieval.py, total_frame]
NUM_FRAMES: Final = 16
#: Frames of one clip in CAV-MAE. [code: CAV-MAE src/preprocess/extract_video_frame.py]
CAVMAE_NUM_FRAMES: Final = 10
#: The frame that retrieval with CAV-MAE uses. [code: CAV-MAE src/retrieval.py]
CAVMAE_RETRIEVAL_FRAME: Final = 5
#: Length of a clip in seconds. [paper: text, AudioSet and VGGSound clips]
CLIP_SECONDS: Final = 10.0
#: Side of a frame in pixels. [paper: text; code: Sync src/dataloader_sync.py, im_res]
FRAME_PIXELS: Final = 224
#: Side of a patch in pixels, and in spectrogram bins and frames. [paper: text; code: PatchEmbed]
PATCH_SIZE: Final = 16
#: Mean of RGB values in [0, 1]. [imagenet: also code: Sync src/dataloader_sync.py]
RGB_MEAN: Final = (0.4850, 0.4560, 0.4060)
#: Standard deviation of RGB values in [0, 1]. [imagenet: also code: Sync src/dataloader_sync.py]
RGB_STD: Final = (0.2290, 0.2240, 0.2250)

# ---- augmentation, all off by default --------------------------------------------------------------------

#: Both parameters of the Beta distribution of mixup's weight. [code: CAV-MAE src/dataloader.py]
MIXUP_ALPHA: Final = 10
#: Share of the frame's area kept by a random crop, least and most. [code: Sync src/dataloader_sync.py]
CROP_AREA: Final = (0.08, 1.0)
#: Width over height of a random crop, least and most. [code: Sync src/dataloader_sync.py]
CROP_RATIO: Final = (0.9, 1.1)

# ---- model -----------------------------------------------------------------------------------------------

#: Width of the encoders. [paper: text, ViT-B; code: Sync CAVMAESync(embed_dim)]
WIDTH: Final = 768
#: Blocks of each encoder. [code: Sync CAVMAESync(modality_specific_depth)]
ENCODER_DEPTH: Final = 11
#: Blocks of the joint layer. [paper: text; code: 12 - modality_specific_depth]
JOINT_DEPTH: Final = 1
#: Attention heads of the encoders and the joint layer. [code: Sync CAVMAESync(num_heads)]
NUM_HEADS: Final = 12
#: Hidden width of a block's perceptron over its width. [code: Sync CAVMAESync(mlp_ratio)]
MLP_RATIO: Final = 4
#: Register tokens of each modality. [paper: text; code: Sync CAVMAESync(num_register_tokens)]
NUM_REGISTERS: Final = 8
#: Width of the decoder. [code: Sync CAVMAESync(decoder_embed_dim)]
DECODER_WIDTH: Final = 512
#: Blocks of the decoder. [code: Sync CAVMAESync(decoder_depth)]
DECODER_DEPTH: Final = 8
#: Attention heads of the decoder. [code: Sync CAVMAESync(decoder_num_heads)]
DECODER_HEADS: Final = 16
#: Blocks of each contrastive head, where a model has them. [code: Sync CAVMAESync(contrastive_heads)]
CONTRASTIVE_HEAD_DEPTH: Final = 2
#: Epsilon of every layer norm. [code: framework default in Sync; MAE was trained with 1e-6]
LAYER_NORM_EPSILON: Final = 1e-5
#: Standard deviation of new global, modality and mask tokens. [code: Sync initialize_weights]
TOKEN_STD: Final = 0.02
#: Standard deviation of new register tokens. [code: Sync CAVMAESync.__init__, torch.randn]
REGISTER_STD: Final = 1.0
#: Blocks of the classification head. [paper: text, 3.5.2; code: Sync CAVMAEFT, classifier_layers]
HEAD_DEPTH: Final = 2

# ---- masking and losses ----------------------------------------------------------------------------------

#: Fraction of patches hidden from the encoder. [paper: text; dev: run scripts, masking_ratio]
MASK_RATIO: Final = 0.75
#: Range of the ratio in multi-ratio masking. [paper: Table 8; code: Sync forward, 0.6 + 0.3 u]
MULTI_MASK_RATIO: Final = (0.6, 0.9)
#: Share of the ratio given to each axis when rows and columns are both hidden. [code: mask mode "tf"]
TIME_FREQUENCY_SHARE: Final = 0.7
#: Divides cosines in the contrastive loss. [code: Sync forward_contrastive]
TEMPERATURE: Final = 0.05
#: Weight of the contrastive loss. [paper: Table 4; dev: run scripts, contrast_loss_weight]
CONTRASTIVE_WEIGHT: Final = 0.1
#: Weight of the contrastive loss in CAV-MAE. [code: CAV-MAE run scripts, contrast_loss_weight]
CAVMAE_CONTRASTIVE_WEIGHT: Final = 0.01
#: Weight of the reconstruction loss. [dev: run scripts, mae_loss_weight]
RECONSTRUCTION_WEIGHT: Final = 1.0
#: Added to a patch's variance before it is standardised. [code: Sync forward_mae_loss]
PIXEL_NORM_EPSILON: Final = 1e-6
#: Candidates of one contrastive softmax in the published runs: batch 512 on 8 devices. [dev: run scripts]
NEGATIVES_SHARD: Final = 64
#: Seed of the masks in figures of in-painting. [code: CAV-MAE src/inpaint.py]
INPAINT_SEED: Final = 2

# ---- optimisation ----------------------------------------------------------------------------------------

#: Peak learning rate. [dev: run scripts, lr]
LEARNING_RATE: Final = 2e-4
#: Betas of Adam. [dev: traintest_cavmae; code: CAV-MAE src/traintest_cavmae.py]
ADAM_BETAS: Final = (0.95, 0.999)
#: Epsilon of Adam. [code: framework default in CAV-MAE src/traintest_cavmae.py]
ADAM_EPSILON: Final = 1e-8
#: Coupled L2 penalty on every parameter. [dev: traintest_cavmae; code: CAV-MAE src/traintest_cavmae.py]
WEIGHT_DECAY: Final = 5e-7
#: Clips of one step, over all devices. [paper: Table 4; dev: run scripts, batch_size]
BATCH_SIZE: Final = 512
#: Passes over the training clips. [dev: run scripts, n_epochs]
NUM_EPOCHS: Final = 25
#: Fraction of all steps spent warming up. [dev: CosineWarmupScheduler]
WARMUP_FRACTION: Final = 0.1
#: Final learning rate over the peak. [dev: CosineWarmupScheduler]
FINAL_LEARNING_RATE_FRACTION: Final = 0.1

#: Classes of AudioSet. [code: CAV-MAE data, class_labels_indices.csv]
NUM_AUDIOSET_CLASSES: Final = 527
#: Classes of VGGSound. [code: CAV-MAE data, class_labels_indices_vgg.csv]
NUM_VGGSOUND_CLASSES: Final = 309

#: Weight of a class in balanced sampling is this over its clips. [code: CAV-MAE gen_weight_file.py]
BALANCE_SCALE: Final = 1000.0
#: Added to a class's clips before dividing. [code: CAV-MAE gen_weight_file.py]
BALANCE_OFFSET: Final = 0.01

#: Epochs before the multi-step schedule first lowers the rate. [code: CAV-MAE run scripts, lrscheduler_start]
MULTISTEP_FIRST_EPOCH: Final = 10
#: Epochs between its later steps. [code: CAV-MAE run scripts, lrscheduler_step]
MULTISTEP_EVERY_EPOCHS: Final = 5
#: What the multi-step schedule multiplies the rate with. [code: CAV-MAE run scripts, lrscheduler_decay]
MULTISTEP_FACTOR: Final = 0.5
#: Learning rate of CAV-MAE base. [code: CAV-MAE run scripts, lr]
CAVMAE_LEARNING_RATE: Final = 5e-5
#: Clips of one step of CAV-MAE base. [code: CAV-MAE run scripts, batch_size]
CAVMAE_BATCH_SIZE: Final = 48
#: Candidates of one softmax of CAV-MAE base: 48 clips on 4 devices. [code: CAV-MAE run scripts]
CAVMAE_NEGATIVES_SHARD: Final = 12

#: Strongest noise in training of CAV-MAE, which also rolls time. [code: CAV-MAE run scripts, noise=True]
CAVMAE_NOISE_AMPLITUDE: Final = 0.1

# ---- classification --------------------------------------------------------------------------------------

#: Learning rates tried on held-out training clips. What was published is not known. [dev: run scripts]
PROBE_LEARNING_RATES: Final = (1e-4, 1e-3, 1e-2)
#: Clips of one step of probing. [dev: run_cavmae_ft_sync, batch_size]
PROBE_BATCH_SIZE: Final = 48
#: Share of the target taken from true classes and spread over all. [dev: run scripts, label_smooth]
LABEL_SMOOTHING: Final = 0.1
#: Epochs of probing on VGGSound. [dev: later run scripts, n_epochs]
PROBE_VGGSOUND_EPOCHS: Final = 10
#: Epochs whose weights are averaged in probing on AudioSet-20K, first and last. [dev: run scripts, wa]
PROBE_AS20K_AVERAGED: Final = (13, 25)
#: The same on VGGSound, in probing and in fine-tuning. [dev: run scripts, wa]
VGGSOUND_AVERAGED: Final = (3, 10)
#: Learning rates of fine-tuning on AudioSet-20K, AudioSet-2M, VGGSound. [code: CAV-MAE run scripts, lr]
FINETUNE_LEARNING_RATES: Final = (5e-5, 1e-5, 1e-4)
#: Clips of one step, in the same order. [code: CAV-MAE run scripts, batch_size]
FINETUNE_BATCH_SIZES: Final = (36, 48, 48)
#: Epochs, in the same order. [code: CAV-MAE run scripts, epoch]
FINETUNE_EPOCHS: Final = (15, 10, 10)
#: Learning rate of the head over the backbone's, in the same order. [code: CAV-MAE run scripts, head_lr]
FINETUNE_HEAD_FACTORS: Final = (100, 50, 10)
#: Epochs before the rate is first halved, in the same order. [code: CAV-MAE run scripts, lrscheduler_start]
FINETUNE_HALVED_FROM: Final = (5, 2, 2)
#: Epochs whose weights are averaged, in the same order. [code: CAV-MAE run scripts, wa_start and wa_end]
FINETUNE_AVERAGED: Final = ((3, 15), (1, 10), (3, 10))
#: Probability of mixup in fine-tuning. [code: CAV-MAE run scripts, mixup]
FINETUNE_MIXUP: Final = 0.5
#: Limit of the mask over mel bins in fine-tuning. [code: CAV-MAE run scripts, freqm]
FINETUNE_MASK_BINS: Final = 48
#: Limit of the mask over spectrogram frames in fine-tuning. [code: CAV-MAE run scripts, timem]
FINETUNE_MASK_FRAMES: Final = 192

# ---- evaluation ------------------------------------------------------------------------------------------

#: The k of recall at k. [paper: Table 1]
RECALL_AT: Final = (1, 5, 10)

# ---- states over time ------------------------------------------------------------------------------------

#: Most states of one clip. [dev: temporal segmentation, default; the number in the paper is not legible]
MAX_STATES: Final = 5
#: Percentile of all distances that is the first threshold. [dev: temporal segmentation]
STATE_DISTANCE_PERCENTILE: Final = 75
#: The threshold shrinks and grows by these factors. [dev: temporal segmentation]
STATE_THRESHOLD_FACTORS: Final = (0.8, 1.2)
#: Outside of these the search ends. [dev: temporal segmentation]
STATE_THRESHOLD_LIMITS: Final = (0.1, 1.0)
#: Thresholds of which the best gives a class's IoU. [code: DenseAV evaluation, linspace of 20 steps]
SEGMENTATION_THRESHOLDS: Final = 20
#: Samples of a segmentation prompt: 1024 spectrogram frames. [code: DenseAV data, CAV-MAE audio length]
PROMPT_SAMPLES: Final = 164_200
