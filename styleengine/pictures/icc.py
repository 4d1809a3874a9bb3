"""ICC profiles: from any picture's colours to sRGB."""

from __future__ import annotations

import logging
import struct
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

from styleengine.pictures.picture import Floats, row_strips, to_unit
from styleengine.pictures.samples import KEPT, kept

log = logging.getLogger(__name__)

SAME = 0.5 / 255
"""A profile that moves no colour further than this is sRGB: half a step of an 8-bit sample."""


@cache
def srgb_profile() -> bytes:
    """The sRGB profile written into our files (LittleCMS' built-in).

    Its date of creation is set to a fixed one, so that the same picture makes the same file.
    """
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + made[36:]


@cache
def adobe_rgb() -> bytes:
    """A profile of Adobe RGB (1998): its primaries, white D65, gamma 563/256 (4.3.1.2 and A.1)."""
    primaries = (0.64, 0.33, 1.0, 0.21, 0.71, 1.0, 0.15, 0.06, 1.0)
    white = (0.3127, 0.3290, 1.0)
    made = imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, gamma=563 / 256)
    return bytes(made)


def to_srgb(samples: NDArray[Any], space: str, profile: bytes, *, keep: bool = False) -> Floats:
    """Colours as sRGB-encoded float32 (H, W, 3), 0–1.

    ``samples`` is (H, W, 1), (H, W, 3) or (H, W, 4) for ``space`` "gray", "rgb" or "cmyk" (0 = no
    ink), unsigned integers or floats 0–1. ``profile`` is the embedded ICC profile, or empty: then
    gray and RGB are taken as sRGB-encoded, CMYK is converted by (1-ink)·(1-black). Relative
    colorimetric with black point compensation, as GIMP does. Colours outside sRGB are clipped. A
    damaged profile, or one for another kind of picture, is ignored and logged. With ``keep``, what
    is made of whole numbers may stay `Samples`.
    """
    if profile:
        try:
            if not _is_srgb(profile, space):
                return _transformed(samples, space, profile, keep)
        except (imagecodecs.CmsError, ValueError) as error:
            log.warning("A colour profile is damaged, or for other pictures: it is left aside.")
            log.info("the profile (%s): %s", space, error)
    if keep and samples.dtype in KEPT and space != "cmyk":
        return kept(np.broadcast_to(samples, (*samples.shape[:2], 3)))
    return _plain(samples, space)


def _plain(samples: NDArray[Any], space: str) -> Floats:
    if space == "rgb":
        return to_unit(samples)
    out = np.empty((*samples.shape[:2], 3), np.float32)
    for rows in row_strips(samples.shape[0], samples.shape[1]):
        unit = to_unit(samples[rows])
        out[rows] = unit if space == "gray" else (1 - unit[..., :3]) * (1 - unit[..., 3:])
    return out


def _transformed(samples: NDArray[Any], space: str, profile: bytes, keep: bool = False) -> Floats:
    """Through LittleCMS, strip by strip.

    8-bit colours go to 16 bits in LittleCMS' integer path, twenty times as fast and wrong by a
    fifth of an 8-bit step at most, in the darkest colours; deeper ones go to float, which is exact.
    Grays of 8 bits are 256, which are looked up: there the integer path is wrong by ten steps.
    """
    if space == "gray" and samples.dtype == np.uint8:
        every = np.arange(256, dtype=np.uint16).reshape(1, 256, 1) * np.uint16(257)
        return np.asarray(_transformed(every, space, profile)[0][samples[..., 0]])
    deep = samples.dtype.itemsize > 1
    keep = keep and not deep
    out: NDArray[Any] = np.empty((*samples.shape[:2], 3), np.uint16 if keep else np.float32)
    for rows in row_strips(samples.shape[0], samples.shape[1]):
        strip = np.ascontiguousarray(samples[rows])
        if space == "cmyk" and strip.dtype.kind == "f":
            # LittleCMS counts float inks from 0 to 100; 16-bit ones need no such convention.
            strip = np.rint(np.clip(strip, 0, 1) * 65535).astype(np.uint16)
        elif strip.dtype not in (np.uint8, np.uint16, np.float32):
            strip = to_unit(strip)
        converted = imagecodecs.cms_transform(
            strip[..., 0] if space == "gray" else strip,
            profile,
            srgb_profile(),
            colorspace=space,
            outcolorspace="rgb",
            outdtype=np.float32 if deep else np.uint16,
            intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
            flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
        )
        out[rows] = converted if keep else to_unit(converted)
    return kept(out) if keep else out


def _is_srgb(profile: bytes, space: str) -> bool:
    """Whether the profile leaves sRGB (or sRGB-encoded gray) colours as they are."""
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    if space == "rgb":
        cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    elif space == "gray":
        cube = np.arange(256, dtype=np.uint8).reshape(1, -1, 1)
    else:
        return False
    return bool(np.abs(_transformed(cube, space, profile) - _plain(cube, space)).max() < SAME)
