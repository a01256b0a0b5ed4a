"""Data in: readers give samples, splits keep them apart, transforms turn them into model inputs, a store keeps them.

numpy and Pillow; tokenizers, pyarrow and datasets only when used. No torch.
"""

from __future__ import annotations

from .arrays import ArrayTransform
from .folder import is_image_folder, read_folder
from .hf import is_dataset, is_saved_dataset, read_dataset, read_saved
from .image import ImageTransform
from .labels import number_labels
from .live import as_numbers, read_live
from .npz import read_npz
from .parquet import parquet_files, read_parquet
from .samples import BadSample, Sample, Samples, check_bad, raw_digest
from .splits import NEEDED, SPLITS, Splits, make_splits
from .store import EncodedSplit
from .table import TABLE_SUFFIXES, column_names, read_table
from .text import TextTransform
from .transform import Transform

__all__ = [
    "NEEDED", "SPLITS", "TABLE_SUFFIXES", "ArrayTransform", "BadSample", "EncodedSplit", "ImageTransform", "Sample",
    "Samples", "Splits", "TextTransform", "Transform", "as_numbers", "check_bad", "column_names", "is_dataset",
    "is_image_folder", "is_saved_dataset", "make_splits", "number_labels", "parquet_files", "raw_digest",
    "read_dataset", "read_folder", "read_live", "read_npz", "read_parquet", "read_saved", "read_table",
]  # fmt: skip
