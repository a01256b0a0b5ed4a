from __future__ import annotations

import pytest

from speedwell.core import TorchPayload
from speedwell.core.errors import ModelNotFoundError, UnsupportedModelError
from speedwell.sources.payload import MODULE, new_payload, read_payload, write_payload


def test_a_payload_comes_back_and_its_folder_is_private(tmp_path):
    folder = new_payload(tmp_path / "deep")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert new_payload(tmp_path / "deep") != folder
    payload = TorchPayload("factory", "a:b", ("/x",), {"n": 1}, ({"prune": [1]},))
    write_payload(folder, payload)
    assert read_payload(folder) == payload


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 99, "record": {}}', '{"schema": 1, "record": {}}', "{{"])
def test_a_garbled_payload_is_a_typed_error(tmp_path, text):
    with pytest.raises(ModelNotFoundError):
        read_payload(tmp_path)
    (tmp_path / MODULE).write_text(text)
    with pytest.raises(UnsupportedModelError):
        read_payload(tmp_path)
