"""Data in: readers give samples, splits keep them apart, transforms turn them into model inputs, a store keeps them.

numpy and Pillow; tokenizers, pyarrow and datasets only when used. No torch.
"""

from __future__ import annotations

from .arrays import ArrayTransform
from .cells import holds_boxes, objects_column
from .coco import is_coco, read_coco
from .folder import is_image_folder, read_folder
from .hf import is_dataset, is_saved_dataset, read_dataset, read_saved
from .image import ImageTransform
from .labels import number_labels
from .letterbox import LetterboxTransform
from .live import as_numbers, read_live
from .live_objects import is_live_detection
from .metadata import is_hf_detection, read_hf_detection
from .npz import read_npz
from .object_table import ObjectTable, rarest_classes
from .objects import Objects
from .parquet import parquet_files, read_parquet
from .samples import BadSample, Sample, Samples, check_bad, raw_digest
from .scenes import Scenes, is_scenes, read_scenes
from .splits import NEEDED, SPLITS, Splits, make_splits
from .store import EncodedSplit
from .table import TABLE_SUFFIXES, column_names, read_table
from .text import TextTransform
from .transform import Transform
from .voc import is_voc, read_voc

__all__ = [
    "NEEDED", "SPLITS", "TABLE_SUFFIXES", "ArrayTransform", "BadSample", "EncodedSplit", "ImageTransform",
    "LetterboxTransform", "ObjectTable", "Objects", "Sample", "Samples", "Scenes", "Splits", "TextTransform",
    "Transform", "as_numbers", "check_bad", "column_names", "holds_boxes", "is_coco", "is_dataset",
    "is_hf_detection", "is_image_folder", "is_live_detection", "is_saved_dataset", "is_scenes", "is_voc",
    "make_splits", "number_labels", "objects_column", "parquet_files", "rarest_classes", "raw_digest", "read_coco",
    "read_dataset", "read_folder", "read_hf_detection", "read_live", "read_npz", "read_parquet", "read_saved",
    "read_scenes", "read_table", "read_voc",
]  # fmt: skip
