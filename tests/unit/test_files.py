import os

import pytest

from trt_helpers.files import written_whole


def test_file_appears_under_its_name_with_the_permissions_of_any_new_file(tmp_path):
    path, ordinary = tmp_path / "new" / "a.plan", tmp_path / "ordinary"
    with written_whole(path) as unfinished:
        assert not path.exists()
        unfinished.write_bytes(b"content")
    ordinary.touch()
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode == ordinary.stat().st_mode
    assert os.listdir(path.parent) == ["a.plan"]


@pytest.mark.parametrize("old", [None, b"old"])
def test_failure_leaves_what_was_there_and_nothing_else(tmp_path, old):
    path = tmp_path / "a.plan"
    if old:
        path.write_bytes(old)
    with pytest.raises(ZeroDivisionError), written_whole(path) as unfinished:
        unfinished.write_bytes(b"half")
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == (["a.plan"] if old else [])
    assert not old or path.read_bytes() == old
