"""Captions drawn in training: some of what is true of an image."""

from collections.abc import Sequence

import torch

from diffex.generators.text.config import TextConfig


def draw_caption(phrases: Sequence[str], config: TextConfig, generator: torch.Generator) -> str:
    """Draw a caption: some of an image's phrases in random order, sometimes none.

    Parameters
    ----------
    phrases : sequence of str
        What is true of the image.
    config : TextConfig
        Largest number of phrases, share of empty captions.
    generator : torch.Generator
        Of the draw.

    Returns
    -------
    str
        Phrases joined by commas.
    """
    if not phrases or _chance(generator) < config.drop:
        return ""
    most = min(config.most_phrases, len(phrases))
    count = int(torch.randint(1, most + 1, (), generator=generator))
    return ", ".join(phrases[i] for i in _some(count, len(phrases), generator))


def draw_pair(
    first: Sequence[str], second: Sequence[str], config: TextConfig, generator: torch.Generator
) -> tuple[str, str]:
    """Draw the captions of two images that differ in one thing: that thing, and the same words beside it.

    Parameters
    ----------
    first, second : sequence of str
        What is true of either image.
    config : TextConfig
        Largest number of phrases, share of empty captions.
    generator : torch.Generator
        Of the draw.

    Returns
    -------
    (str, str)
        Half of the pairs are told by their difference alone.
    """
    if _chance(generator) < config.drop:
        return "", ""
    shared = [phrase for phrase in first if phrase in second]
    own = [[phrase for phrase in said if phrase not in shared] for said in (first, second)]
    most = min(config.most_phrases - max(map(len, own)), len(shared))
    alone = most < 1 or _chance(generator) < 0.5
    count = 0 if alone else int(torch.randint(1, most + 1, (), generator=generator))
    beside = [shared[i] for i in _some(count, len(shared), generator)]
    place = int(torch.randint(0, count + 1, (), generator=generator))
    one, other = (", ".join([*beside[:place], *words, *beside[place:]]) for words in own)
    return one, other


def draw_captions(
    said: Sequence[Sequence[str]], config: TextConfig, generator: torch.Generator
) -> tuple[str, ...]:
    """Draw the caption of an image, or those of a pair.

    Parameters
    ----------
    said : sequence of sequence of str, length 1 or 2
        What is true of each.
    config : TextConfig
        Largest number of phrases, share of empty captions.
    generator : torch.Generator
        Of the draw.

    Returns
    -------
    tuple of str
        One per image.
    """
    if len(said) == 1:
        return (draw_caption(said[0], config, generator),)
    first, second = said
    return draw_pair(first, second, config, generator)


def _chance(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def _some(count: int, every: int, generator: torch.Generator) -> list[int]:
    return torch.randperm(every, generator=generator)[:count].tolist()
