"""An archive's entries and checksums; equal contents make equal files."""

import hashlib
import zipfile

from icl.store import archive


def test_equal_contents_make_equal_files(tmp_path):
    one = tmp_path / "one.txt"
    one.write_bytes(b"1")
    archive.pack("results/a", {"b/one.txt": one, "a": b"2"}, tmp_path / "first.zip")
    one.touch()
    archive.pack("results/a", {"a": b"2", "b/one.txt": one}, tmp_path / "second.zip")
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "first.zip") as packed:
        assert packed.testzip() is None
        assert packed.namelist() == ["results/a/a", "results/a/b/one.txt", "results/a/SHA256SUMS"]
        sums = packed.read("results/a/SHA256SUMS").decode().splitlines()
    assert sums == [
        f"{hashlib.sha256(b'2').hexdigest()}  results/a/a",
        f"{hashlib.sha256(b'1').hexdigest()}  results/a/b/one.txt",
    ]
