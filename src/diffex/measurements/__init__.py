"""Named quantities with units, read off the pixels of single-cell crops."""

from diffex.measurements.catalogue import View, nucleus_channel, quantities, read_in_object
from diffex.measurements.differences import class_differences
from diffex.measurements.measuring import measure
from diffex.measurements.own import OwnMeasurement, with_own
from diffex.measurements.quantity import Kind, Quantity, channel_slugs
from diffex.measurements.segmentation import channel_scores, choose_channel, ring, ring_width, segment

__all__ = [
    "Kind",
    "OwnMeasurement",
    "Quantity",
    "View",
    "channel_scores",
    "channel_slugs",
    "choose_channel",
    "class_differences",
    "measure",
    "nucleus_channel",
    "quantities",
    "read_in_object",
    "ring",
    "ring_width",
    "segment",
    "with_own",
]
