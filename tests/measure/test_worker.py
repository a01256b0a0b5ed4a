from speedwell.measure.worker import _describe


def test_an_exception_is_described_with_all_its_classes():
    facts = _describe(FileNotFoundError("nothing there"))
    assert facts["classes"][:2] == ["FileNotFoundError", "OSError"]
    assert facts["what"] == "nothing there"
