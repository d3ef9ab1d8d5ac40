"""What comes in: images of one size, their channels, labels, groups and masks, read when asked for."""

from diffex.images.arguments import parse_columns, parse_where
from diffex.images.checks import require_classes
from diffex.images.crop_folder import CropRequest, CropResult, crop_fields
from diffex.images.cropping import Crops, crop_field, locate_cells
from diffex.images.decoding import DecodedImage, read_image, read_mask
from diffex.images.images import ArraySource, Images, PixelSource, images_from_arrays
from diffex.images.opening import open_images
from diffex.images.planted import PlantedCells
from diffex.images.splits import sample, split_by_group
from diffex.images.writing import place, write_image

__all__ = [
    "ArraySource",
    "CropRequest",
    "CropResult",
    "Crops",
    "DecodedImage",
    "Images",
    "PixelSource",
    "PlantedCells",
    "crop_field",
    "crop_fields",
    "images_from_arrays",
    "locate_cells",
    "open_images",
    "parse_columns",
    "parse_where",
    "place",
    "read_image",
    "read_mask",
    "require_classes",
    "sample",
    "split_by_group",
    "write_image",
]
