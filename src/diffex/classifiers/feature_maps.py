"""Feature maps of any convolutional network, without knowing its layers."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class _ConvolutionRecorder(TorchFunctionMode):
    """Keep the last 4-D output of a convolution at each spatial size.

    A function mode sees convolutions of modules, of ``torch.nn.functional`` and of exported
    programs alike, where hooks on layers would see the first kind only.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maps: dict[tuple[int, ...], Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if str(getattr(func, "__name__", "")).startswith("conv") and isinstance(result, Tensor):
            self._keep(result)
        return result

    def _keep(self, result: Tensor) -> None:
        size = tuple(result.shape[2:])
        # One-pixel maps come from squeeze-and-excite layers and pooled heads: no place is left in them.
        if result.ndim == 4 and max(size) > 1:
            self.maps.pop(size, None)
            self.maps[size] = result


def record_feature_maps(network: Callable[[Tensor], Any], x: Tensor, max_maps: int) -> list[Tensor]:
    """Run a network and give its last convolution output at each spatial size.

    Parameters
    ----------
    network : callable
        Takes `x`.
    x : Tensor, shape (n, c, h, w)
        Normalised images.
    max_maps : int
        How many at most; the deepest are kept.

    Returns
    -------
    list of Tensor, shape (n, channels, height, width) each
        In the order in which the network makes them.
    """
    with _ConvolutionRecorder() as recorder:
        network(x)
    return list(recorder.maps.values())[-max_maps:]
