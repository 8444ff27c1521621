"""A device without float64, as Apple's is, played by any device: no function of torch returns a tensor of that dtype."""

import torch
from torch.overrides import TorchFunctionMode


class NoFloat64(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for x in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(x, torch.Tensor) and x.dtype == torch.float64:
                raise TypeError(f"{function}: this device has no float64")
        return result
