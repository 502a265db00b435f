"""An archive's entries and checksums; equal contents make equal files."""

import hashlib
import stat
import warnings
import zipfile

import PIL.Image
import pytest
import xarray as xr
from icl.store import archive, artifacts, files


def test_equal_contents_make_equal_files(tmp_path):
    one = tmp_path / "one.txt"
    one.write_bytes(b"1")
    archive.pack(
        "results/a", {"results/a/b/one.txt": one, "results/a/a": b"2"}, tmp_path / "first.zip"
    )
    one.touch()
    archive.pack(
        "results/a", {"results/a/a": b"2", "results/a/b/one.txt": one}, tmp_path / "second.zip"
    )
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "first.zip") as packed:
        assert packed.testzip() is None
        assert packed.namelist() == ["results/a/a", "results/a/b/one.txt", "results/a/SHA256SUMS"]
        sums = packed.read("results/a/SHA256SUMS").decode().splitlines()
    assert sums == [
        f"{hashlib.sha256(b'2').hexdigest()}  results/a/a",
        f"{hashlib.sha256(b'1').hexdigest()}  results/a/b/one.txt",
    ]


MEMBERS = {
    "results/a/claims.md": b"1",
    "results/a/figures/y.pdf": b"2",
    "workflow/Snakefile": b"shell('evil')",
    "ro-crate-metadata.json": b"{}",
}


def packed(tmp_path):
    """An archive of two results and what stands beside them."""
    path = tmp_path / "archive.zip"
    archive.pack("results/a", MEMBERS, path)
    return path


def rewritten(path, change):
    """The archive with its members changed: change(list of (ZipInfo, bytes)) -> the same."""
    with zipfile.ZipFile(path) as old:
        members = [(entry, old.read(entry)) for entry in old.infolist()]
    with zipfile.ZipFile(path, "w") as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name given twice
        for entry, contents in change(members):
            new.writestr(entry, contents)
    return path


def added(name, contents=b"evil", mode=0o644, listed=False):
    def change(members):
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        if listed:
            sums = f"{hashlib.sha256(contents).hexdigest()}  {name}\n".encode()
            members[-1] = (members[-1][0], members[-1][1] + sums)
        return [(entry, contents), *members]

    return change


def altered(name, contents):
    return lambda members: [(e, contents if e.filename == name else c) for e, c in members]


def without(*names):
    return lambda members: [member for member in members if member[0].filename not in names]


def test_an_archive_is_opened_whole(tmp_path):
    written = archive.unpack(packed(tmp_path), tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "results/a/claims.md",
        "results/a/figures/y.pdf",
        "results/a/SHA256SUMS",
    ]
    assert (tmp_path / "results/a/figures/y.pdf").read_bytes() == b"2"
    archive.unpack(tmp_path / "archive.zip", tmp_path)  # once more: nothing differs
    (tmp_path / "results/a/claims.md").write_bytes(b"mine")
    with pytest.raises(archive.ArchiveError, match="is there and differs"):
        archive.unpack(tmp_path / "archive.zip", tmp_path)
    assert (tmp_path / "results/a/claims.md").read_bytes() == b"mine"
    archive.unpack(tmp_path / "archive.zip", tmp_path, replace=True)
    assert (tmp_path / "results/a/claims.md").read_bytes() == b"1"


def test_what_stands_beside_the_results_is_never_opened(tmp_path):
    """A Snakefile of a stranger would be run by the next command."""
    path = packed(tmp_path)
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/Snakefile").write_bytes(b"mine")
    archive.unpack(path, tmp_path, replace=True)
    assert (tmp_path / "workflow/Snakefile").read_bytes() == b"mine"
    assert not (tmp_path / "ro-crate-metadata.json").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (added("workflow/rules/theory.smk"), "outside results"),
        (added("workflow/rules/theory.smk", listed=True), "outside results"),
        (added("results/theory.smk", listed=True), "outside results"),
        (added("results/b/claims.md", listed=True), "below one results"),
        (added("results/a/../../Snakefile", listed=True), "not a plain path"),
        (added("/tmp/x", listed=True), "not a plain path"),
        (added("results/a/c\\..\\..\\x", listed=True), "not a plain path"),
        (added("results/a/new\nline", listed=True), "not a plain path"),
        (added("results/a/.hidden", listed=True), "not what an archive holds"),
        (added("results/a/report/fig1.rst", listed=True), "not what an archive holds"),
        (added("results/a/train/e/job.nc", listed=True), "not what an archive holds"),
        (added("results/a/collected/run.py", listed=True), "not what an archive holds"),
        (added("results/a/CLAIMS.md", listed=True), "not what|each file once"),
        (added("results/a/README.md", b"/etc/passwd", 0o120777, listed=True), "no plain file"),
        (added("results/a/README.md"), "not listed"),
        (added("results/a/claims.md", b"1"), "each file once"),
        (added("workflow/Snakefile", b"shell('evil')", listed=True), "each file once"),
        (added("snakefile", listed=True), "outside results"),
        (added("profiles/default/config.yaml", listed=True), "outside results"),
        (added("results/a/Snakefile", listed=True), "not what an archive holds"),
        (added("results/a/ro-crate-metadata.json", listed=True), "not what an archive holds"),
        *((without(name), "lacks") for name in MEMBERS),
        *((altered(name, b"3"), "does not match its checksum") for name in MEMBERS),
        (without("results/a/SHA256SUMS"), "not listed"),
        (without(*MEMBERS), "lacks"),
        (lambda members: [], "below one results"),
    ],
)
def test_a_tampered_archive_writes_nothing(tmp_path, change, expected):
    path = rewritten(packed(tmp_path), change)
    with pytest.raises(archive.ArchiveError, match=expected):
        archive.unpack(path, tmp_path)
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 10_000)
    path = rewritten(packed(tmp_path), added("results/a/report.html", bytes(20_000), listed=True))
    with pytest.raises(archive.ArchiveError, match="would take more than 10,000 bytes"):
        archive.unpack(path, tmp_path)
    data = path.read_bytes()
    # The size that the directory announces is a lie.
    path = rewritten(packed(tmp_path), added("results/a/report.html", bytes(5_000), listed=True))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"results/a/report.html"))
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(archive.ArchiveError):
        archive.unpack(path, tmp_path)
    assert sorted(tmp_path.iterdir()) == [path]


def test_what_is_no_archive_is_named(tmp_path):
    path = tmp_path / "archive.zip"
    with pytest.raises(archive.ArchiveError, match="cannot be read"):
        archive.unpack(path, tmp_path)
    path.write_bytes(packed(tmp_path).read_bytes()[:-30])
    with pytest.raises(archive.ArchiveError, match="cannot be read"):
        archive.unpack(path, tmp_path)


def test_a_folder_that_leads_elsewhere_is_not_followed(tmp_path):
    path, outside, clone = packed(tmp_path), tmp_path / "outside", tmp_path / "clone"
    outside.mkdir()
    (clone / "results/a").mkdir(parents=True)
    (clone / "results/a/figures").symlink_to(outside)
    with pytest.raises(archive.ArchiveError, match="figures is a link"):
        archive.unpack(path, clone, replace=True)
    assert list(outside.iterdir()) == []
    # All results on another disk are opened there.
    (tmp_path / "other").mkdir()
    (tmp_path / "other/results").symlink_to(outside)
    archive.unpack(path, tmp_path / "other")
    assert (outside / "a/claims.md").is_file()


def test_every_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    path = tmp_path / "archive.zip"
    archive.pack("results/a", {"results/a/claims.md": b"abc" * 300}, path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        clone = tmp_path / str(place)
        try:
            archive.unpack(path, clone)
        except archive.ArchiveError:
            assert not clone.exists()
        else:
            assert (clone / "results/a/claims.md").read_bytes() == b"abc" * 300


def test_a_damaged_picture_is_not_packed(tmp_path):
    path = tmp_path / "fig1.png"
    PIL.Image.new("RGB", (8, 8)).save(path)
    archive.pack("results/a", {"results/a/figures/fig1.png": path}, tmp_path / "good.zip")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(files.DamagedError, match="fig1"):
        archive.pack("results/a", {"results/a/figures/fig1.png": path}, tmp_path / "bad.zip")


def test_damage_is_not_packed(tmp_path):
    """With its time restored, Snakemake would not notice it."""
    dataset = tmp_path / "transition.nc"
    artifacts.write(xr.Dataset({"a": ("x", [1.0, 2.0])}), dataset)
    verdict = tmp_path / "analysis/x.json"
    files.write_json({"verdict": "undecided"}, verdict)
    archive.pack("results/a", {"t.nc": dataset, "x.json": verdict}, tmp_path / "good.zip")
    for path in (dataset, verdict):
        whole = path.read_bytes()
        other = whole.replace(b"undecided", b"reproduced")
        path.write_bytes(other if other != whole else whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(files.DamagedError):
            archive.pack("results/a", {"m": path}, tmp_path / "bad.zip")
        path.write_bytes(whole)
    assert not (tmp_path / "bad.zip").exists()


def test_members_are_plain_files_that_others_may_read(tmp_path):
    with zipfile.ZipFile(packed(tmp_path)) as archived:
        members = archived.infolist()
    assert {member.external_attr >> 16 for member in members} == {0o644}
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}


def test_a_member_that_says_it_is_a_plain_file_is_one(tmp_path):
    """As other zip tools mark it: a type beside the permissions."""
    marked = rewritten(packed(tmp_path), without("results/a/claims.md", "results/a/SHA256SUMS"))

    def change(members):
        entry = zipfile.ZipInfo("results/a/claims.md")
        entry.external_attr = (stat.S_IFREG | 0o600) << 16
        names = {member.filename: contents for member, contents in members}
        names[entry.filename] = b"1"
        sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in names.items())
        return [(entry, b"1"), *members, (zipfile.ZipInfo("results/a/SHA256SUMS"), sums.encode())]

    archive.unpack(rewritten(marked, change), tmp_path)
    assert (tmp_path / "results/a/claims.md").read_bytes() == b"1"


@pytest.mark.parametrize("mine", [b"0", b"2"])
def test_what_is_there_and_differs_is_kept(tmp_path, mine):
    (tmp_path / "results/a").mkdir(parents=True)
    (tmp_path / "results/a/claims.md").write_bytes(mine)
    with pytest.raises(archive.ArchiveError, match="is there and differs"):
        archive.unpack(packed(tmp_path), tmp_path)
    assert (tmp_path / "results/a/claims.md").read_bytes() == mine


@pytest.mark.parametrize(
    "name", ["a/settings.json", "config/settings.json", "analysis/a.csv", "figures/y.pdf", "y.zip"]
)
def test_what_cannot_prove_itself_is_packed_as_it_is(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"{}")
    archive.pack("results/a", {"results/a/config.json": path}, tmp_path / "archive.zip")
    with zipfile.ZipFile(tmp_path / "archive.zip") as archived:
        assert archived.read("results/a/config.json") == b"{}"
