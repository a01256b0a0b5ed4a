from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from speedwell.core.errors import UsageError
from speedwell.report.samples import data_uri


@pytest.mark.parametrize(("kind", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_png_and_jpeg_bytes_become_a_data_uri(kind, mime):
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(out, kind)
    head, _, body = data_uri(out.getvalue()).partition(",")
    assert head == f"data:{mime};base64"
    assert base64.b64decode(body) == out.getvalue()


def test_anything_else_is_refused():
    with pytest.raises(UsageError, match="neither PNG nor JPEG"):
        data_uri(b"<svg onload=alert(1)>")
