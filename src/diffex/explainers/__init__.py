"""The methods' owners: images and a classifier in, an explanation out."""
