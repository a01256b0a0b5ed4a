from itertools import islice

from speedwell.workflow.demo_texts import LONGEST, SHORTEST, docstrings


def test_docstrings_of_a_package_are_sentences_each_once() -> None:
    found = list(islice(docstrings("numpy"), 200))
    assert len(found) == len(set(found)) == 200
    assert all(SHORTEST <= len(s) <= LONGEST and "\n" not in s for s in found)
    assert found == list(islice(docstrings("numpy"), 200)), "the same each time"


def test_a_package_that_is_not_installed_has_none() -> None:
    assert list(docstrings("no-such-package-here")) == []
