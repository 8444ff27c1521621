"""The kit that the grader's tests grade with, built once."""

from pathlib import Path

import pytest

from mmtokedu.course import _build

EXAMPLE = Path(__file__).with_name("assignment") / "example.ipynb"


@pytest.fixture(scope="session")
def kit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    _build.build(EXAMPLE, folder, "the class of thirteen", say=lambda text: None)
    return folder / "example"
