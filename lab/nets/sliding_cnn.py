"""A plain CNN for single characters, moved along a line of writing.

Letters: B lines, H and W their height and width, T output positions (frames), one for each window.
Source: the line reader of the course Full Stack Deep Learning (fullstackdeeplearning.com, 2021).
"""
# from week 3

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from lab.nets.cnn import CNN
from lab.nets.layers import check_at_least, check_image
from lab.nets.line_cnn import shortened


class SlidingCNN(nn.Module):
    """A 3x3 CNN on overlapping windows of a line: each position's logits see one window.

    Shapes: (B, 1, H, W) and sizes (B, 2) -> (B, T, num_outputs), T a `stride`-th of W, rounded up.

    Args:
        window: columns of the image that the CNN sees at once.
        stride: columns from one window to the next.
        depth: stages of the CNN; each has two convolutions and halves the window.
        width: channels of the first stage; they double from stage to stage.
        dropout: share of the features set to zero before the last layer, in training.

    Raises:
        ValueError: windows too small for the depth, or an option out of range.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_outputs: int,
        *,
        window: int = 28,
        stride: int = 8,
        depth: int = 2,
        width: int = 32,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least("stride", stride, 1)
        check_at_least("window", window, stride)
        check_image(input_shape, least=2**depth, way_out="lower --model.net.depth")
        self.window, self.stride = window, stride
        shape = (*input_shape[:-1], window)
        self.cnn = CNN(shape, num_outputs, depth=depth, width=width, dropout=dropout)

    def frames(self, sizes: Tensor) -> Tensor:
        """How many output positions (B,) belong to images of true sizes (B, 2)."""
        return shortened(sizes[:, 1], self.stride)

    def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        around = self.window - self.stride
        # Each window lies around a stride of its own, the last one may reach beyond the line.
        after = around - around // 2 + self.stride - 1
        padded = F.pad(images, (around // 2, after))
        windows = padded.unfold(3, self.window, self.stride)  # (B, 1, H, T, window)
        count, positions = windows.shape[0], windows.shape[3]
        windows = windows.transpose(1, 3).transpose(2, 3).flatten(0, 1)  # (B T, 1, H, window)
        return self.cnn(windows).unflatten(0, (count, positions))
