"""A total-correlation variational autoencoder: few latents, each for one property."""
