"""Finding the object in the centre of a crop."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from diffex.measurements.morphology import dilate, fill_holes, label

_SMALLEST = 0.005  # of the crop's area; below it a component is a speck
_LARGEST = 0.9  # of the crop's area; above it the threshold has found no edge
_FARTHEST = 0.25  # of the crop's side: how far from the centre the object may begin
_REACH = 1 / 12  # of the crop's side: how far a seeded object may grow beyond its seed
_FALLBACK_RADIUS = 0.2  # of the crop's side
_FLAT = 1e-6  # relative range below which pixels are constant up to rounding


def segment(
    pixels: NDArray[np.floating],
    channel: int | NDArray[np.intp],
    seeds: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Segment the central object by Otsu's threshold on the smoothed channel.

    The object may be brighter or darker than its surroundings: whichever the centre of the crop is, compared
    with its border. Of the connected components larger than 0.5 % of the crop, the one nearest the centre is
    kept, and its holes are filled. With `seeds` all this happens within a twelfth of the crop's side around
    the seed, away from neighbours, and the component that overlaps the seed most is kept. Otsu, IEEE Trans.
    Syst. Man Cybern. 9:62 (1979).

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops, any unit.
    channel : int or ndarray of int, shape (n,)
        The channel to segment in, one for all or one per image.
    seeds : ndarray of bool, shape (n, h, w), optional
        Where the object was before; an empty seed counts as none.

    Returns
    -------
    masks : ndarray of bool, shape (n, h, w)
        The objects; where none was found, the seed if there is one, else a central disc with a radius of a
        fifth of the crop's side.
    found : ndarray of bool, shape (n,)
        Whether an object was found.

    Examples
    --------
    >>> import numpy as np
    >>> crop = np.zeros((1, 1, 64, 64))
    >>> crop[0, 0, 24:40, 24:40] = 1
    >>> masks, found = segment(crop, 0)
    >>> bool(found[0]), bool(masks[0, 32, 32])
    (True, True)
    """
    count, _, height, width = pixels.shape
    planes = np.asarray(pixels[np.arange(count), channel], dtype=np.float64)
    if not count:
        return np.zeros(planes.shape, dtype=bool), np.zeros(0, dtype=bool)
    if seeds is None:
        masks, found = _segment_centre(planes)
        fallback = np.broadcast_to(_disc(height, width), planes.shape)
        return np.where(found[:, None, None], masks, fallback), found
    starts = seeds.copy()
    seedless = ~seeds.any(axis=(1, 2))
    masks, found = _segment_seeded(planes, starts)
    masks[~found] = starts[~found]
    if seedless.any():
        masks[seedless], found[seedless] = segment(planes[seedless, None], 0)
    return masks, found


def channel_scores(
    pixels: NDArray[np.floating], masks: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    r"""Score, per image, how clearly each channel shows the central object.

    The score is the part of the variance that inside against outside explains,
    :math:`\eta^2 = p (1 - p) (\mu_{in} - \mu_{out})^2 / \sigma^2`.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops, any unit.
    masks : ndarray of bool, shape (n, h, w), optional
        The objects; where None or empty, each channel is judged by its own segmentation.

    Returns
    -------
    ndarray, shape (n, c)
        Between 0 and 1; 0 where nothing is found.
    """
    scores = np.zeros(pixels.shape[:2])
    for channel in range(pixels.shape[1]):
        plane = np.asarray(pixels[:, channel], dtype=np.float64)
        scores[:, channel] = _explained(plane, _known_or_segmented(plane, masks))
    return scores


def choose_channel(pixels: NDArray[np.floating], masks: NDArray[np.bool_] | None = None) -> int:
    """Choose the channel in which the central objects of a set segment best.

    Parameters
    ----------
    pixels : ndarray, shape (n, c, h, w)
        Crops, any unit; some tens of images are enough.
    masks : ndarray of bool, shape (n, h, w), optional
        The objects, where known.

    Returns
    -------
    int
        The channel with the highest mean of `channel_scores`.
    """
    return int(channel_scores(pixels, masks).mean(axis=0).argmax()) if len(pixels) else 0


def ring_width(height: int, width: int) -> int:
    """Give the width of the ring around the object: a sixteenth of the crop's side.

    Parameters
    ----------
    height, width : int
        Size of the crop in pixels.

    Returns
    -------
    int
        Pixels, at least 1; 4 in a crop of 64.
    """
    return max(1, round(min(height, width) / 16))


def ring(masks: NDArray[np.bool_], width: int, gap: int = 1) -> NDArray[np.bool_]:
    """Give the ring around each object.

    Parameters
    ----------
    masks : ndarray of bool, shape (n, h, w)
        The objects.
    width : int
        Width of the ring in pixels, see `ring_width`.
    gap : int, default 1
        Pixels left out between object and ring, where both blur into each other.

    Returns
    -------
    ndarray of bool, shape (n, h, w)
        The rings; empty where the object is empty or fills the crop.
    """
    inner = dilate(masks, gap)
    return dilate(inner, width) & ~inner


def _segment_centre(planes: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    height, width = planes.shape[1:]
    band = max(1, min(height, width) // 16)
    border = np.ones((height, width), dtype=bool)
    border[band:-band, band:-band] = False
    centre = _distance(height, width) <= min(height, width) / 8
    everywhere = np.ones_like(border)
    stack = [np.broadcast_to(region, planes.shape) for region in (everywhere, centre, border)]
    components = label(_foreground(_smooth(planes), *stack))
    return _filled(*_nearest(components))


def _segment_seeded(
    planes: NDArray[np.float64], seeds: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    near = dilate(seeds, max(1, round(_REACH * min(planes.shape[1:]))))
    components = label(_foreground(_smooth(planes), near, seeds, near & ~seeds))
    return _filled(*_overlapping(components, seeds))


def _smooth(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    sigma = min(planes.shape[1:]) / 64
    return np.asarray(ndimage.gaussian_filter(planes, (0, sigma, sigma), truncate=3))


def _foreground(
    smooth: NDArray[np.float64],
    regions: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Threshold within `regions`, on the side of the threshold that `inside` is on against `outside`."""
    foreground = np.zeros(smooth.shape, dtype=bool)
    for image, plane in enumerate(smooth):
        region = regions[image]
        values = plane[region]
        if not values.size or np.ptp(values) <= _FLAT * np.abs(values).max():
            continue
        above = plane > threshold_otsu(values)  # type: ignore[no-untyped-call]
        bright = _mean(plane[inside[image]]) >= _mean(plane[outside[image]])
        foreground[image] = (above == bright) & region
    return foreground


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0


def _filled(
    chosen: NDArray[np.bool_], found: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    masks = fill_holes(chosen)
    return masks, found & (masks.mean(axis=(1, 2)) <= _LARGEST)


def _nearest(components: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    height, width = components.shape[1:]
    far = float(height + width)
    distance = np.where(_large(components), _distance(height, width), far)
    chosen = _component_at(components, distance.reshape(len(components), -1).argmin(axis=1))
    found = distance.min(axis=(1, 2)) <= _FARTHEST * min(height, width)
    return chosen & found[:, None, None], found


def _overlapping(
    components: NDArray[np.int32], seeds: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    shared = np.bincount(components[seeds], minlength=int(components.max(initial=0)) + 1)
    shared[0] = 0
    overlap = shared[components] * _large(components)
    chosen = _component_at(components, overlap.reshape(len(components), -1).argmax(axis=1))
    found = overlap.max(axis=(1, 2)) > 0
    return chosen & found[:, None, None], found


def _large(components: NDArray[np.int32]) -> NDArray[np.bool_]:
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    large = sizes >= _SMALLEST * components[0].size
    return np.asarray(large[components])


def _component_at(components: NDArray[np.int32], positions: NDArray[np.intp]) -> NDArray[np.bool_]:
    flat = components.reshape(len(components), -1)
    numbers = flat[np.arange(len(flat)), positions]
    return np.asarray((components == numbers[:, None, None]) & (components > 0))


def _known_or_segmented(plane: NDArray[np.float64], masks: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    known = np.zeros(plane.shape, dtype=bool) if masks is None else masks.copy()
    missing = ~known.any(axis=(1, 2))
    if missing.any():
        segmented, found = segment(plane[missing, None], 0)
        known[missing] = segmented & found[:, None, None]
    return known


def _explained(planes: NDArray[np.float64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    share = masks.mean(axis=(1, 2))
    mean = planes.mean(axis=(1, 2))
    inside = (planes * masks).mean(axis=(1, 2))
    between = (inside - share * mean) ** 2
    within = share * (1 - share) * planes.var(axis=(1, 2))
    useful = within > 1e-12 * mean**2
    return np.asarray(np.divide(between, within, out=np.zeros(len(planes)), where=useful))


def _distance(height: int, width: int) -> NDArray[np.float64]:
    rows, columns = np.mgrid[:height, :width]
    return np.asarray(np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2))


def _disc(height: int, width: int) -> NDArray[np.bool_]:
    return _distance(height, width) <= _FALLBACK_RADIUS * min(height, width)
