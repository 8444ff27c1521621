"""What papers report about the use of codebooks: other models, other data, other measures of use. Read, not run."""

IMAGENET = {"data": "ImageNet 256 x 256"}
SIMVQ = {"paper": "zhu2024simvq", "read": "README of github.com/youngsheen/SimVQ", "data": "ImageNet 128 x 128"}
ROTATION = {"paper": "fifty2024rotation", "data": "ImageNet"}
ROTATION_READ = "arXiv 2410.06424, the later version (2 % to 27 %), table"
FSQ = {"paper": "mentzer2023fsq"}
LLAMAGEN = IMAGENET | {"paper": "sun2024llamagen", "read": "arXiv 2406.06525v1, table 2", "K": 16384}
VALIDATION, BATCH = "used at least once on the validation set", "share of the codes in each batch"
QUEUE = "share of the codes in the last 65,536"
UNSTATED = "the measure is not stated where it was read"


def _rows(common, measured, values):
    """One row a model: `values` are (model, K, used in percent, rFID), an entry of None is left out."""
    named = [dict(zip(("model", "K", "used_percent", "rfid"), value)) for value in values]
    return [common | {k: v for k, v in row.items() if v is not None} | {"measured": measured} for row in named]


PUBLISHED = [
    *_rows(
        SIMVQ,
        UNSTATED,
        [
            ("VQGAN", 65536, 1.4, 3.74),
            ("VQGAN, 8-d codes (VQGAN-FC)", 65536, 100.0, 2.63),
            ("FSQ", 64000, 100.0, 2.80),
            ("LFQ", 65536, 100.0, 2.88),
            ("SimVQ", 65536, 100.0, 2.24),
        ],
    ),
    *_rows(
        ROTATION | {"read": f"{ROTATION_READ} 3", "latents": "32 x 32 x 4"},
        BATCH,
        [("VQGAN of latent diffusion", 16384, 2, 5.0), ("with the rotation trick", 16384, 27, 1.1)],
    ),
    *_rows(
        ROTATION | {"read": f"{ROTATION_READ} 3", "latents": "64 x 64 x 3"},
        BATCH,
        [("VQGAN of latent diffusion", 8192, 15, 0.53), ("with the rotation trick", 8192, 86, 0.27)],
    ),
    *_rows(
        ROTATION | {"read": f"{ROTATION_READ} 4", "latents": "8 x 8 x 32, unit length"},
        BATCH,
        [("ViT-VQGAN, rerun", 8192, 0.3, 29.2), ("with the rotation trick", 8192, 2.2, 11.2)],
    ),
    *_rows(
        ROTATION | {"read": f"{ROTATION_READ} 1", "latents": "32 x 32 x 32, EMA"},
        BATCH,
        [("VQ-VAE", 1024, 100, 106.1), ("with the rotation trick", 1024, 97, 85.7)],
    ),
    *_rows(
        FSQ | IMAGENET | {"read": "arXiv 2309.15505v2, figure 4"},
        VALIDATION,
        [("MaskGIT, VQ with an entropy loss", 1024, 81, None), ("MaskGIT, FSQ 8,5,5,5", 1000, 100, None)],
    ),
    *_rows(
        FSQ | {"read": "arXiv 2309.15505v2, table 2", "data": "NYU Depth v2"},
        VALIDATION,
        [
            ("UViM, VQ that splits busy codes", 4096, 99, None),
            ("UViM, VQ without it", 4096, 0.78, None),
            ("UViM, FSQ 7,5,5,5,5", 4375, 99, None),
        ],
    ),
    *_rows(
        LLAMAGEN,
        QUEUE,
        [
            ("unit length, 256-d", None, 0.29, 9.21),
            ("unit length, 32-d", None, 20.9, 3.22),
            ("unit length, 8-d", None, 97.0, 2.19),
            ("unit length, 4-d", None, 82.0, 9.88),
        ],
    ),
    *_rows(
        IMAGENET | {"paper": "esser2020vqgan", "read": "README of github.com/CompVis/taming-transformers"},
        "not reported",
        [("VQGAN, f=16", 1024, None, 7.94), ("VQGAN, f=16", 16384, None, 4.98)],
    ),
    *_rows(
        IMAGENET | {"paper": "esser2020vqgan", "read": "model card huggingface.co/markweber/taming_vqgan"},
        "share of the codes, how is not stated",
        [("the same VQGAN, f=16, measured by others", 1024, 44.5, 7.96)],
    ),
    *_rows(
        IMAGENET | {"paper": "yu2024titok", "read": "README_TiTok.md, configs of github.com/bytedance/1d-tokenizer"},
        "not reported",
        [("TiTok-L, 32 tokens an image, unit length, 12-d", 4096, None, 2.21)],
    ),
]
