"""Let an autoencoder's latents differ between images by about one unit in every channel."""

import torch
from diffusers import AutoencoderKL
from torch import Tensor

_SMALLEST = 1e-3  # share of the largest variance below which a channel is left small


def whiten_latents(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Fold a whitening of the channels into the autoencoder's 1 x 1 convolutions, in place.

    Latents of centred objects are mostly the mean image, the same in all of them; scaled to unit spread as a
    whole, what tells images apart would be small, and a diffusion model would learn it last. Here the
    differences from the mean image get unit covariance between channels.

    Parameters
    ----------
    vae : AutoencoderKL
        Its encoder gives, and its decoder takes, whitened latents afterwards; images stay the same.
    latents : Tensor
        ``(n, d, h, w)``, as it encoded training images.

    Returns
    -------
    Tensor
        The same latents, whitened.
    """
    middle = latents.mean(dim=(0, 2, 3)).double()  # (d,)
    differences = (latents - latents.mean(dim=0)).transpose(0, 1).flatten(1).double()
    values, vectors = torch.linalg.eigh(differences @ differences.T / differences.shape[1])
    spread = values.clamp_min(_SMALLEST * float(values[-1])).sqrt()
    there, back = (vectors / spread) @ vectors.T, (vectors * spread) @ vectors.T
    _before(vae, there, middle)
    _after(vae, back, middle)
    moved = torch.einsum("ij,njhw->nihw", there.float(), latents - middle.float().view(-1, 1, 1))
    vae.register_to_config(scaling_factor=1.0)
    return moved


@torch.no_grad()
def _before(vae: AutoencoderKL, there: Tensor, middle: Tensor) -> None:
    """The encoder's last convolution gives means, then log variances; these are left as they are."""
    weight, bias = vae.quant_conv.weight, vae.quant_conv.bias
    count = len(middle)
    weight[:count] = (there @ weight[:count].flatten(1).double()).view_as(weight[:count]).float()
    bias[:count] = (there @ (bias[:count].double() - middle)).float()


@torch.no_grad()
def _after(vae: AutoencoderKL, back: Tensor, middle: Tensor) -> None:
    weight, bias = vae.post_quant_conv.weight, vae.post_quant_conv.bias
    flat = weight.flatten(1).double()
    bias += (flat @ middle).float()
    weight.copy_((flat @ back).view_as(weight).float())
