"""Which tests share a worker where several run them (pytest -n 2 --dist loadgroup)."""

import pytest

SHARED = {"finished", "small"}  # checkouts that take minutes to finish (tests/workflow/conftest.py)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    """Keep tests of one file, and those of one finished checkout, together; the longest first."""
    groups = {}
    for item in items:
        shared = SHARED & set(getattr(item, "fixturenames", ()))
        groups[item] = shared.pop() if shared else item.path.name
        item.add_marker(pytest.mark.xdist_group(groups[item]))
    items.sort(key=lambda item: (groups[item] not in SHARED, "unit" in item.path.parts))
