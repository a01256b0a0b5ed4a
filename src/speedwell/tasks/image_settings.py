"""How images become a model's input: the user's words first, then the model's hints, its signature, then defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import CorruptSampleError, InputMismatchError, UsageError
from ..core.model import Model
from ..core.signature import TensorSpec
from ..inputs import ImageTransform, Samples
from .reading import options_of

__all__ = ["IMAGE_OPTIONS", "ImageFacts", "image_facts", "image_transform", "sample_image_options"]

IMAGE_OPTIONS = frozenset(
    {"size", "resize", "resize_to", "crop", "interpolation", "scale", "mean", "std", "layout", "colour", "dtype"}
)


def image_transform(model: Model, options: Mapping[str, Any]) -> ImageTransform:
    """The declared transform; what was guessed is on its ``assumed``, in words.

    ``options``: ``IMAGE_OPTIONS``, ``preprocessing`` (a JSON file or mapping of them), and ``samples`` (what
    ``sample_image_options`` saw, used last). ``size`` is one side or [height, width]; ``crop`` True, "center", "none"
    or the size that is cut out. Raises ``UsageError`` (no size known, bad values), ``InputMismatchError`` where the
    words and the signature contradict each other.
    """
    facts = image_facts(model, options)
    said, size, assumed = facts.said, facts.record["size"], facts.assumed
    resize = str(said.get("resize") or ("shortest" if said.get("resize_to") else "stretch"))
    if "resize" not in said and resize == "stretch":
        assumed.append(f"no resize given: images of another size are stretched to {size[0]}x{size[1]}")
    return ImageTransform(
        **facts.record,
        resize=resize,  # type: ignore[arg-type]  # checked by the record itself
        resize_to=_whole(said.get("resize_to")),
        crop=_crop(said.get("crop"), resize),  # type: ignore[arg-type]
        assumed=tuple(assumed),
    )


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """``record``: the fields that every image transform has. ``said``: all that options and hints say. ``assumed``: in
    words, what was guessed.
    """

    record: dict[str, Any]
    said: dict[str, Any]
    assumed: list[str]


def image_facts(model: Model, options: Mapping[str, Any], known: frozenset[str] = IMAGE_OPTIONS) -> ImageFacts:
    """Which input, which size, which numbers; ``known``: the settings there are. Raises as ``image_transform`` does."""
    spec = _image_input(model)
    user = options_of(options, "image", known)
    hints = {k: v for k, v in dict(model.origin.hints.get("image") or {}).items() if k in known}
    seen = dict(options.get("samples") or {})
    said = _merged(user, hints)
    fixed = _signature_facts(spec, said.get("layout") or seen.get("layout"))
    assumed: list[str] = []

    layout = str(said.get("layout") or fixed.get("layout") or seen.get("layout") or "nchw")
    channels = fixed.get("channels") or seen.get("channels") or 3
    colour = str(said.get("colour") or ("gray" if channels == 1 else "rgb"))
    size = _size(said.get("size")) or fixed.get("size") or _size(seen.get("size"))
    if size is None:
        raise UsageError(
            f"the image size that the model takes is not known (input {spec.name!r} {list(spec.shape)})",
            "Name it with --size 224x224"
            + (', or in code: build.preprocessing = {"image": {"size": [224, 224]}}' if model.form == "torch" else "")
            + ".",
        )
    if not said.get("size") and not fixed.get("size"):
        assumed.append(f"no image size given: {size[0]}x{size[1]} is taken from the data")
    if fixed.get("size") and fixed["size"] != size:
        raise InputMismatchError(
            f"the images are to be {size[0]}x{size[1]}, the model takes {fixed['size'][0]}x{fixed['size'][1]}",
            f"Use --size {fixed['size'][0]}x{fixed['size'][1]}.",
        )
    if fixed.get("channels") and fixed["channels"] != (1 if colour == "gray" else 3):
        raise InputMismatchError(
            f"colour {colour} does not give the {fixed['channels']} channel(s) that the model takes",
            "Use --colour gray for 1 channel, rgb or bgr for 3.",
        )
    dtype = str(said.get("dtype") or (spec.dtype if spec.shape else "float32"))
    mean, std = _numbers("mean", said.get("mean"), colour), _numbers("std", said.get("std"), colour)
    plain = dtype.startswith(("int", "uint"))
    scale = said.get("scale")
    if scale is None:
        scale = 1.0 if plain else 1 / 255
        if not plain and not mean and not std:
            assumed.append("no mean and std given: pixels are divided by 255 only")
        elif mean and max(mean) > 1.5:
            assumed.append(
                f"mean {max(mean):g} is subtracted after dividing by 255; for pixels of 0..255 use --scale 1"
            )
    record = {
        "input": spec.name,
        "size": size,
        "interpolation": str(said.get("interpolation") or "bilinear"),
        "scale": _number("scale", scale),
        "mean": mean,
        "std": std,
        "layout": layout,
        "colour": colour,
        "dtype": dtype,
    }
    return ImageFacts(record, said, assumed)


def sample_image_options(samples: Samples, most: int = 16) -> dict[str, Any]:
    """What the first samples have in common: {"size": [h, w]}, and for prepared float arrays "layout" and "channels".

    Empty where they differ or cannot be read. Give it to ``transform`` as the option ``samples``.
    """
    from ..inputs.decode import open_image

    facts: set[tuple[Any, ...]] = set()
    for i in range(min(most, len(samples))):
        try:
            raw = samples[i].raw
            if isinstance(raw, np.ndarray) and raw.dtype.kind == "f":
                if raw.ndim != 3:
                    return {}
                nchw = raw.shape[0] in (1, 3)
                c, h, w = raw.shape if nchw else (raw.shape[2], *raw.shape[:2])
                facts.add((h, w, "nchw" if nchw else "nhwc", c))
            else:
                image = open_image(raw, "RGB")
                facts.add((image.height, image.width, None, None))
        except CorruptSampleError:
            continue  # reported when the split is written
        except InputMismatchError:
            return {}
    if len(facts) != 1:
        return {}
    h, w, layout, channels = facts.pop()
    return {"size": [h, w]} | ({"layout": layout, "channels": channels} if layout else {})


def _image_input(model: Model) -> TensorSpec:
    inputs = model.signature.inputs
    images = [t for t in inputs if len(t.shape) == 4] or ([inputs[0]] if len(inputs) == 1 else [])
    named = [t for t in inputs if t.name in ("pixel_values", "image", "images", "img", "x")]
    found = images if len(images) == 1 else named
    if len(found) != 1 or len(found[0].shape) not in (0, 4):
        told = ", ".join(f"{t.name} {t.dtype} {list(t.shape)}" for t in inputs)
        raise InputMismatchError(
            f"the model has no single image input [batch, channels, height, width]: {told}", "Use --task custom."
        )
    if len(inputs) > 1:
        raise InputMismatchError(
            f"the model takes {len(inputs)} inputs ({', '.join(t.name for t in inputs)}), images fill one",
            "Use --task custom with a dataset that gives all of them.",
        )
    return found[0]


def _signature_facts(spec: TensorSpec, layout: Any) -> dict[str, Any]:
    """layout, channels and size as far as the shape fixes them."""
    if len(spec.shape) != 4:
        return {}
    first, last = spec.shape[1], spec.shape[3]
    guessed = "nchw" if first in (1, 3) else "nhwc" if last in (1, 3) else None
    facts: dict[str, Any] = {"layout": guessed} if guessed else {}
    layout = layout or guessed or "nchw"
    c, h, w = (spec.shape[1], *spec.shape[2:]) if layout == "nchw" else (spec.shape[3], *spec.shape[1:3])
    if isinstance(c, int) and c > 0:
        facts["channels"] = c
    if isinstance(h, int) and isinstance(w, int) and h > 0 and w > 0:
        facts["size"] = (h, w)
    return facts


def _merged(user: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that belong together move together: a user's resize drops the hints' resize_to and crop."""
    base = dict(hints)
    if {"size", "resize", "resize_to", "crop"} & user.keys():
        for name in ("resize", "resize_to", "crop"):
            base.pop(name, None)
    if "scale" in user or "mean" in user or "std" in user:
        for name in ("scale", "mean", "std"):
            base.pop(name, None)
    said = {**base, **user}
    cut = said.get("crop")
    if _size(cut) and not isinstance(cut, (str, bool)):  # a crop size is the size that the network sees
        if "size" in user and _size(user["size"]) != _size(cut):
            raise UsageError(
                f"size is {user['size']!r} and crop {cut!r}", "The crop is what the model sees: name one of the two."
            )
        said["size"], said["crop"] = cut, "center"
    return {k: v for k, v in said.items() if v is not None}


def _crop(value: Any, resize: str) -> str:
    if value is None:
        return "center" if resize == "shortest" else "none"
    if isinstance(value, bool):
        return "center" if value else "none"
    return {"centre": "center"}.get(str(value), str(value))


def _size(value: Any) -> tuple[int, int] | None:
    if value is None or isinstance(value, (bool, str)):
        return None
    sides = [value, value] if isinstance(value, (int, float)) else list(value)
    if len(sides) == 3:  # [channels, height, width], as timm writes it
        sides = sides[1:]
    if len(sides) != 2 or any(int(s) != s or s < 1 for s in sides):
        raise UsageError(f"an image size is {value!r}", "Give one side, or height and width.")
    return int(sides[0]), int(sides[1])


def _whole(value: Any) -> int | None:
    return None if value is None else int(_number("resize_to", value))


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} is {value!r}", "Give a number.") from error


def _numbers(name: str, value: Any, colour: str) -> tuple[float, ...]:
    if value is None:
        return ()
    values = [value] if isinstance(value, (int, float, str)) else list(value)
    channels = 1 if colour == "gray" else 3
    return tuple(_number(name, v) for v in (values * channels if len(values) == 1 else values))
