"""A small text-to-image model: latent diffusion of captioned images, in Stable Diffusion's layout."""
