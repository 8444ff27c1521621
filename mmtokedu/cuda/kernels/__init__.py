"""Triton kernels, only where plain torch is not enough. Import them lazily: Triton may be absent."""
