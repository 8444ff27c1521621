"""mmtokedu: how images, audio and video become tokens. NumPy to read, CUDA to run fast.

The modules follow the chapters of the book; `mmtokedu.patches` belongs to "Patches", and so on.
Importing the package loads neither torch nor matplotlib.
"""

from mmtokedu._doctor import doctor
from mmtokedu._version import __version__

__all__ = ["__version__", "doctor"]
