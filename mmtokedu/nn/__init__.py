"""What has to be trained: layers made of the library's functions, and the small models of the chapters. Needs torch."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        "mmtokedu.nn needs torch, which is not installed: pip install 'mmtokedu[torch]' "
        "(on Colab it is there already). The NumPy functions work without it."
    ) from error
