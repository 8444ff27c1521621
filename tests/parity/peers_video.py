"""The peers' own answers about clips: which frames they take, how large they make them, how many tokens that is.

As in `peers.py`, nothing here computes: the peers' video processors are made without torchvision, which only their
pixels need, and their own methods are asked. Frames are taken from a clip that needs no memory, in the way that they
take them, so that an index beyond its end is the error that a user sees.
`python tests/parity/peers_video.py` writes golden/video.json anew, and from it
mmtokedu/data/results/video_parity.json, as --counts does alone.
"""

import contextlib
import functools
import json
import math
import random
import sys
import types
import zlib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
from peers import GOLDEN, ask, hf, inert_torchvision, load, write_counts

from mmtokedu.video import sample_frames, video_tokens

COUNTS = Path(__file__).parents[2] / "mmtokedu" / "data" / "results" / "video_parity.json"

RATES = [30.0, 29.97, 25.0, 24.0, 23.976, 60.0, 59.94, 10.0, 15.0, 1.0, 0.5, 12.5, 120.0]


def drawn_clips(count, seed=0, longest=math.inf):
    """(frames, frames a second) of clips: the awkward ones, then drawn ones, half short, half long-tailed.

    `longest` is in seconds.
    """
    draw = random.Random(seed)
    clips = [(1, 30.0), (2, 30.0), (3, 10.0), (4, 25.0), (7, 30.0), (30, 30.0), (47, 23.976), (61, 60.0), (100, 29.97)]
    clips += [(300, 30.0), (301, 25.0), (1500, 25.0), (3000, 10.0), (5000, 30.0), (9000, 30.0), (120000, 25.0)]
    clips += [(15, 29.97), (50, 3.0), (57, 24.0), (71, 30.0), (9001, 30.0), (128, 1.0), (129, 1.0), (45000, 150.0)]
    while len(clips) < count:
        rate = draw.choice(RATES) if draw.random() < 0.7 else round(draw.uniform(0.2, 130), 3)
        clips += [(draw.randint(1, 400), rate), (int(2 ** draw.uniform(0, 16.5)), rate)]
        clips = [(total, rate) for total, rate in clips if total / rate <= longest]
    return clips[:count]


@contextlib.contextmanager
def without_torchvision():
    """Let every video processor of transformers be imported: some ask only whether torchvision is there."""
    hf("auto.image_processing_auto")  # it asks for torchvision's version, which a stand-in has not
    module = import_module("transformers.utils.import_utils")
    users = [import_module("transformers.utils"), module]
    real = module.is_torchvision_available
    with inert_torchvision():
        functional = types.ModuleType("torchvision.transforms.functional")
        functional.pil_to_tensor = functional.to_pil_image = functional.InterpolationMode = None
        sys.modules.setdefault(functional.__name__, functional)
        sys.modules["torchvision.transforms"].functional = functional
        for user in users:
            user.is_torchvision_available = lambda: True
        try:
            yield
        finally:
            for user in users:
                user.is_torchvision_available = real
            if sys.modules.get(functional.__name__) is functional:
                del sys.modules[functional.__name__]


CLASSES = {  # our rule or model -> the folder in transformers/models, the class
    "transformers-qwen2": ("qwen2_vl", "Qwen2VLVideoProcessor"),
    "transformers-qwen3": ("qwen3_vl", "Qwen3VLVideoProcessor"),
    "internvl": ("internvl", "InternVLVideoProcessor"),
    "glm4v": ("glm4v", "Glm4vVideoProcessor"),
    "glm46v": ("glm46v", "Glm46VVideoProcessor"),
    "glm5-next": ("glm5_next", "Glm5NextVideoProcessor"),
    "smolvlm": ("smolvlm", "SmolVLMVideoProcessor"),
    "molmo2": ("molmo2", "Molmo2VideoProcessor"),
    "video-llama-3": ("video_llama_3", "VideoLlama3VideoProcessor"),
    "minicpm-v-4.6": ("minicpmv4_6", "MiniCPMV4_6VideoProcessor"),
    "minicpm-v-4.6-stack-2": ("minicpmv4_6", "MiniCPMV4_6VideoProcessor"),
    "ernie-4.5-vl": ("ernie4_5_vl_moe", "Ernie4_5_VLMoeVideoProcessor"),
    "muse-glimmer": ("muse_glimmer", "MuseGlimmerVideoProcessor"),
    "cosmos3-edge": ("cosmos3_edge", "Cosmos3EdgeVideoProcessor"),
    "pe-video": ("pe_video", "PeVideoVideoProcessor"),
    "default": ("gemma4", "Gemma4VideoProcessor"),
    "kimi-k2.5": ("kimi_k25", "Kimi_K25VideoProcessor"),
}

# What the released checkpoints, or the golden rows, set where the class sets nothing; and what our option is called there.
SETTINGS = {
    "transformers-qwen2": {"fps": 2},
    "internvl": {"num_frames": 8},
    "smolvlm": {"num_frames": 64, "fps": 1},
    "video-llama-3": {"fps": 1},
    "minicpm-v-4.6-stack-2": {"stack_frames": 2},
    "ernie-4.5-vl": {"fps": 2},
    "muse-glimmer": {"temporal_patch_size": 2},
    "pe-video": {"num_frames": 16},
}
CALLED = {
    "smolvlm": {"max_frames": "num_frames"},
    "molmo2": {"max_frames": "num_frames"},
    "muse-glimmer": {"max_frames": "num_frames"},
    "minicpm-v-4.6": {"max_frames": "max_num_frames"},
    "minicpm-v-4.6-stack-2": {"max_frames": "max_num_frames"},
}
ATTRIBUTES = {  # options that the peer reads from itself and not from the call
    "transformers-qwen3": ("min_frames", "max_frames"),
    "cosmos3-edge": ("min_frames", "max_frames"),
    "glm5-next": ("max_frames",),
}


@functools.cache
def module_of(name):
    folder, _ = CLASSES[name]
    with without_torchvision():
        return hf(f"{folder}.video_processing_{folder}")


def processor(name, **attributes):
    """A video processor without its set-up: its class attributes are the defaults that its methods read."""
    peer = object.__new__(getattr(module_of(name), CLASSES[name][1]))
    for attribute, value in ({"fps": None, "num_frames": None} | attributes).items():
        if attribute in attributes or not hasattr(type(peer), attribute):
            setattr(peer, attribute, value)
    return peer


def qwen_vl_utils():
    with inert_torchvision():
        return load("qwen_vl_utils.vision_process")


def taken(total, indices):
    """The indices as a list, once the frames could be taken from a clip of `total`: an IndexError or an empty clip is none."""
    torch = load("torch")
    frames = torch.zeros(()).expand(total)[indices]
    if not len(frames):
        raise ValueError("an empty list of indices")
    return [int(index) for index in indices]


def qwen_frames(total, video_fps, **options):
    """smart_nframes of qwen-vl-utils, and the line on which all its readers take the frames."""
    torch = load("torch")
    called = {"frames": "nframes"}
    element = {called.get(name, name): value for name, value in options.items()}
    count = qwen_vl_utils().smart_nframes(element, total_frames=total, video_fps=video_fps)
    return taken(total, torch.linspace(0, total - 1, count).round().long())


def peer_frames(rule, total, video_fps, **options):
    """The indices that the peer of a sampling rule takes; its own error where it takes none."""
    if rule == "qwen-vl-utils":
        return qwen_frames(total, video_fps, **options)
    metadata = import_module("transformers.video_utils").VideoMetadata
    inside = {name: options.pop(name) for name in ATTRIBUTES.get(rule, ()) if name in options}
    call = {CALLED.get(rule, {}).get(name, {"frames": "num_frames"}.get(name, name)): n for name, n in options.items()}
    settings = dict(SETTINGS.get(rule, {}))
    if call.keys() & {"fps", "num_frames"} and rule not in ("smolvlm", "muse-glimmer"):
        settings = {name: n for name, n in settings.items() if name not in ("fps", "num_frames")}
    inside |= {"num_frames": None, "fps": None} if rule == "default" else {}
    clip = metadata(total_num_frames=total, fps=video_fps, duration=total / video_fps)
    return taken(total, processor(rule, **inside).sample_frames(metadata=clip, **settings | call))


LONGEST = {"minicpm-v-4.6": 20_000, "minicpm-v-4.6-stack-2": 20_000}  # seconds: they list every tenth of one

SAMPLING = ["qwen-vl-utils", *(name for name in CLASSES if name != "kimi-k2.5")]


LABELS = {  # style -> the folder and class of the processor, what its string puts around the label
    "qwen3-vl": ("qwen3_vl", "Qwen3VLProcessor", "{}~"),
    "cosmos3-edge": ("cosmos3_edge", "Cosmos3EdgeProcessor", "{}~"),
    "glm-4.1v": ("glm4v", "Glm4vProcessor", "<|begin_of_image|>~<|end_of_image|>{}"),
    "glm-4.6v": ("glm46v", "Glm46VProcessor", "<|begin_of_image|>~<|end_of_image|>{}"),
    "gemma-4": ("gemma4", "Gemma4Processor", "{}~ "),
    "smolvlm": ("smolvlm", "SmolVLMProcessor", "\n{}~"),
    "kimi-k2.5": ("kimi_k25", "Kimi_K25Processor", "{}<|media_begin|>video<|media_content|>~<|media_end|>"),
    "molmo2": ("molmo2", "Molmo2Processor", "{}<im_start><im_patch><im_end> "),
    "video-llama-3": ("video_llama_3", "VideoLlama3Processor", "{}~,"),
    "muse-glimmer": ("muse_glimmer", "MuseGlimmerProcessor", "{}~"),
    "minimax-m3": ("minimax_m3_vl", "MiniMaxM3VLProcessor", "{}~"),
    "nemotron-h-omni": ("nemotron_h_omni", "NemotronH_Omni_Reasoning_V3Processor", "{}~\n"),
    "internvl": ("internvl", "InternVLProcessor", "{}~\n"),
}


def peer_label_string(style, indices, video_fps):
    """The string that a peer's processor puts for a clip, each span of tokens being one "~" without markers."""
    folder, name, _ = LABELS[style]
    with without_torchvision():
        module = hf(f"{folder}.processing_{folder}")
    torch, metadata = load("torch"), import_module("transformers.video_utils").VideoMetadata
    if folder == "smolvlm":
        module.num2words = str  # a package of its own writes the clip's length as words
    peer = object.__new__(getattr(module, name))
    size = 4 if folder == "kimi_k25" else 1 if folder == "cosmos3_edge" else 2
    peer.video_processor = types.SimpleNamespace(
        merge_size=1, temporal_patch_size=size, frame_timestamp_format="Time: {timestamp:.1f}s"
    )
    peer.video_token = peer.image_token = "~"
    for marker in ("vision_start", "vision_end", "boi", "eoi", "video_start", "video_end", "video_sep"):
        setattr(peer, marker + "_token", "")
    for marker in ("start_image", "end_image", "image_start", "image_end", "fake_image", "global_image"):
        setattr(peer, marker + "_token", "")
    peer.VISION_START_TOKEN = peer.VISION_END_TOKEN = ""
    peer.VIDEO_TOKEN, peer.image_seq_len, peer.image_seq_length, peer.video_temporal_patch_dim = "~", 1, 1, 2
    peer.use_frame_special_tokens = peer.video_use_col_tokens = False
    spans, frames = -(-len(indices) // size), len(indices)
    clip = metadata(total_num_frames=10**6, fps=video_fps, duration=1e3, frames_indices=list(indices))
    chunks = [[1, 1, 1]] * spans
    inputs = {
        "video_metadata": [clip], "num_soft_tokens_per_video": [1], "num_chunks_per_video": [spans], "num_tokens": [1],
        "video_grid_thw": torch.tensor(chunks if folder in ("kimi_k25", "minimax_m3_vl") else [[spans, 1, 1]]),
        "video_grids": torch.tensor([[frames, 1, 1]]), "video_merge_sizes": torch.tensor([1]),
        "pixel_values": torch.zeros(1, frames), "pixel_values_videos": torch.zeros(1, frames),
        "video_compression_mask": torch.ones(frames, dtype=torch.bool),
    }  # fmt: skip
    if folder == "video_llama_3":
        inputs["video_grid_thw"] = torch.tensor([[frames, 1, 1]])
    return peer.replace_video_token(inputs, video_idx=0, num_frames=frames, video_metadata=clip)


def ernie_label(seconds):
    """What Ernie's processor draws into a frame."""
    return processor("ernie-4.5-vl")._convert_timestamp(seconds)


# How many tokens


def drawn_sizes(count, seed=0):
    """(frames, height, width) of the frames that were taken: the awkward ones, then drawn ones."""
    draw = random.Random(seed)
    sizes = [
        (8, 480, 640),
        (64, 1080, 1920),
        (2, 20, 30),
        (1, 480, 640),
        (3, 480, 640),
        (768, 1080, 1920),
        (4, 20, 300),
    ]
    sizes += [(16, 1, 1), (4, 3, 601), (6, 5, 1000), (32, 2160, 3840), (180, 720, 1280), (9, 100, 100), (5, 336, 336)]
    sizes += [(2, 10, 1999), (600, 360, 640), (640, 64, 64), (2048, 240, 320), (7, 4000, 30), (2, 448, 896)]
    while len(sizes) < count:
        frames = draw.choice([draw.randint(1, 40), int(2 ** draw.uniform(0, 10))])
        sizes += [(frames, draw.randint(100, 2200), draw.randint(100, 4000))]
        sizes += [(frames, int(2 ** draw.uniform(0, 12)), int(2 ** draw.uniform(0, 12)))]
    return sizes[:count]


def qwen_size(patch):
    """fetch_video of qwen-vl-utils, its reader and its resize replaced: the size of what it would hand on."""

    def size(frames, height, width):
        module, torch, sizes = qwen_vl_utils(), load("torch"), []
        clip = torch.zeros(()).expand(frames + frames % 2, 3, height, width)  # its readers take pairs

        def resize(video, size, **_):
            sizes.append(size)
            return video[:, :, :1, :1]

        module.get_video_reader_backend, module.transforms = lambda: "none", types.SimpleNamespace()
        module.transforms.functional = types.SimpleNamespace(resize=resize)
        module.InterpolationMode = types.SimpleNamespace(BICUBIC=None)
        module.VIDEO_READER_BACKENDS["none"] = lambda element: (clip, {}, 2.0)
        module.fetch_video({"video": "clip"}, image_patch_size=patch)
        if 0 in sizes[0]:
            raise ValueError(f"a side of no pixels: {sizes[0]}")
        return sizes[0]

    return size


def qwen_tokens(patch):
    def tokens(frames, height, width):
        high, wide = (side // (2 * patch) for side in qwen_size(patch)(frames, height, width))
        return -(-frames // 2) * high * wide

    return tokens


def counted(name, temporal=1, **attributes):
    """`get_num_of_video_patches` of a video processor: 2x2 patches a token, and `temporal` frames where it counts frames."""
    peer = processor(name, **attributes)
    return lambda *clip: peer.get_num_of_video_patches(*clip, videos_kwargs={}) // 4 // temporal


def kimi_tokens(frames, height, width):
    one = processor("kimi-k2.5").get_num_of_video_patches(1, height, width) // 4
    return -(-frames // 4) * one  # as its processor counts: a chunk has the grid of one frame


def gemma_tokens(frames, height, width):
    high, wide = module_of("default").get_aspect_ratio_preserving_size(height, width, 16, 70 * 9, 3)
    return frames * (high // 16 * (wide // 16) // 9)


def muse_tokens(frames, height, width):
    high, wide = module_of("muse-glimmer").smart_resize(height, width, 28, 144)
    return -(-frames // 2) * (high // 28) * (wide // 28)


def minicpm_tokens(frames, height, width):
    torch, peer = load("torch"), processor("minicpm-v-4.6")
    peer.resize = lambda video, size, resample: torch.zeros(()).expand(*video.shape[:-2], size.height, size.width)
    clip = torch.zeros(()).expand(1, 1, 3, height, width)
    units, _, _ = peer.resize_and_split_patches(clip, None, True, 9, 448, 14)
    return frames * sum(unit.shape[-2] // 14 * (unit.shape[-1] // 14) // 16 for unit in units[0])


def llava_tokens(frames, height, width):
    module = hf("llava_onevision.processing_llava_onevision")
    peer = types.SimpleNamespace(num_image_tokens=729, video_token="~")
    clip = {"pixel_values_videos": [load("torch").zeros(frames, 1)]}
    return len(module.LlavaOnevisionProcessor.replace_video_token(peer, clip, 0))


def molmo_tokens(frames, height, width):
    grid = load("torch").arange(27 * 27).reshape(27, 27)  # 378 px in patches of 14
    return frames * len(module_of("molmo2").arange_for_pooling(grid, 3, 3)[0])


TOKENS = {
    "qwen2-vl": lambda: qwen_tokens(14),
    "qwen2.5-vl": lambda: qwen_tokens(14),
    "qwen3-vl": lambda: counted("transformers-qwen3", size={"shortest_edge": 4096, "longest_edge": 25165824}),
    "qwen3-vl-class-default": lambda: counted("transformers-qwen3"),
    "qwen3-vl-qwen-vl-utils": lambda: qwen_tokens(16),
    "glm-4.1v": lambda: counted("glm4v"),
    "glm-4.6v": lambda: counted("glm46v"),
    "glm5-next": lambda: counted("glm5-next"),
    "cosmos3-edge": lambda: counted("cosmos3-edge"),
    "ernie-4.5-vl": lambda: counted("ernie-4.5-vl", temporal=2),
    "kimi-k2.5": lambda: kimi_tokens,
    "llava-onevision": lambda: llava_tokens,
    "molmo2": lambda: molmo_tokens,
    "gemma-4": lambda: gemma_tokens,
    "video-llama-3": lambda: counted("video-llama-3"),
    "minicpm-v-4.6": lambda: minicpm_tokens,
    "muse-glimmer": lambda: muse_tokens,
}


def peer_tokens(model):
    """The peer's count for one model: a function (frames, height, width) -> tokens."""
    load("torch")
    return TOKENS[model]()


# What need not be kept


def difference_mask(pixels, threshold, least):
    """VideoLLaMA3's mask of a clip (T, N, D): its processor counts in patches, here one a token."""
    torch = load("torch")
    frames, tokens, width = pixels.shape
    grid, one = torch.tensor([[frames, 1, tokens]]), torch.tensor([1])
    rows = torch.from_numpy(pixels.reshape(-1, width))
    mask = processor("video-llama-3")._get_compression_mask(rows, grid, one, threshold=threshold, min_tokens=least)
    return mask.reshape(frames, tokens).numpy()


def fingerprint(indices):
    """How many indices, the last one, and a checksum of them all: enough to hold a list to, short enough to keep."""
    return None if indices is None else [len(indices), indices[-1], zlib.crc32(np.asarray(indices, "<i8").tobytes())]


def drawn_answers(count=100):
    """For each rule what its peer takes of the same clips: fingerprints, null where it takes nothing."""
    answers = {}
    for rule in SAMPLING:
        clips = drawn_clips(count, seed=1, longest=LONGEST.get(rule, math.inf))
        answers[rule] = [[*clip, fingerprint(ask(functools.partial(peer_frames, rule), *clip)[0])] for clip in clips]
    return answers


def write_golden():
    """Ask every peer and store the answers; the rows of `peers_video_rows.py` stay as they are."""
    path = GOLDEN / "video.json"
    golden = json.loads(path.read_text())
    golden["packages"] |= {name: version(name) for name in ("transformers", "qwen-vl-utils", "torch", "numpy")}
    golden["drawn_frames"] = drawn_answers()
    sizes = drawn_sizes(60, seed=1)
    golden["drawn_sizes"] = [list(size) for size in sizes]
    golden["tokens"] = {model: [ask(peer_tokens(model), *size)[0] for size in sizes] for model in TOKENS}
    samples = [([0, 15, 30, 45, 60], 30.0), ([3, 250, 499, 1203], 29.97), ([0, 90_000, 2_200_000], 25.0)]
    golden["label_strings"] = {name: [[*clip, peer_label_string(name, *clip)] for clip in samples] for name in LABELS}
    path.write_text(as_lines(golden))


def as_lines(golden):
    """JSON with a row a line, two levels deep: readable, and a change shows as the rows that changed."""

    def rows(value):
        if isinstance(value, list):
            return "[\n" + ",\n".join(json.dumps(row) for row in value) + "\n]"
        return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(row)}" for key, row in value.items()) + "\n}"

    parts = (f"{json.dumps(k)}: {rows(v) if isinstance(v, (list, dict)) else json.dumps(v)}" for k, v in golden.items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def parity_counts():
    """How often the library gives the peers' stored answers: rows of kind, name, agreed, both refused, disagreed."""
    golden, rows = json.loads((GOLDEN / "video.json").read_text()), []

    def count(kind, name, ours, answers):
        same, refused = 0, 0
        for arguments, answer in answers:
            mine = ask(ours, *arguments)[0]
            same, refused = same + (mine == answer is not None), refused + (mine is answer is None)
        row = {"kind": kind, "name": name, "agreed": same, "both_refused": refused}
        rows.append(row | {"disagreed": len(answers) - same - refused})

    for rule, clips in golden["drawn_frames"].items():
        taken = functools.partial(sample_frames, rule=rule)
        count("frames", rule, lambda *clip: fingerprint(taken(*clip).tolist()), [(c[:2], c[2]) for c in clips])  # noqa: B023
    for model, counts in golden["tokens"].items():
        tokens = functools.partial(video_tokens, model)
        count("tokens", model, tokens, list(zip(golden["drawn_sizes"], counts, strict=True)))
    return {
        "what": "How often the library takes the frames of a clip, and counts its tokens, as the system's own code does.",
        "made_by": "tests/parity/peers_video.py",
        "packages": golden["packages"],
        "rows": rows,
    }


if __name__ == "__main__":
    if "--counts" not in sys.argv[1:]:
        write_golden()
    write_counts(parity_counts(), COUNTS)
