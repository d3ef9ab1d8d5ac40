"""What a total-correlation VAE is and how it is trained: one frozen configuration."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Estimator = Literal["stratified", "weighted"]


class TCVAEConfig(BaseModel):
    """Code, loss and length of training.

    Parameters
    ----------
    latents : int
        Size of the code; what the images do not need stays unused.
    beta : float
        Weight of the total correlation; 1 is a plain VAE, 4 to 8 separates properties, more blurs.
    estimator : {"stratified", "weighted"}
        Of the aggregate posterior from a minibatch; the weighted one is that of most published numbers.
    steps, batch_size, lr, seed
        Of the training.
    side : {32, 64}
        Pixels a side inside; 32 is four times cheaper and shows no detail.
    pose : {"none", "canonical"}
        ``"canonical"`` for objects without a position or direction of their own: images are brought to a
        canonical pose before they are encoded, and pixels far from the middle count less.
    pose_channel : int, optional
        Channel that tells the pose, for example that of the nucleus; default the mean of all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latents: int = Field(default=16, ge=1, le=256)
    beta: float = Field(default=6.0, ge=0)
    estimator: Estimator = "stratified"
    steps: int = Field(default=1500, ge=1)
    batch_size: int = Field(default=64, ge=2)
    lr: float = Field(default=1e-3, gt=0)
    seed: int = 0
    side: Literal[32, 64] = 64
    pose: Literal["none", "canonical"] = "none"
    pose_channel: int | None = None
