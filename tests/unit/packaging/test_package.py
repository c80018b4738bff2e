"""Packages: good ones are taken, all others refused in words."""

from __future__ import annotations

import contextlib
import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.packaging.archives import HOSTILE, package, zipped

from botmatrix.packaging.package import BadPackage, read_package


def test_a_good_package_is_known_by_its_manifest_and_its_digest() -> None:
    data = package(name="Dice", permissions=["send_msg"])
    found, archive = read_package(io.BytesIO(data), name="dice_1.0.0.bmpk", sha256=hashlib.sha256(data).hexdigest())
    assert (found.manifest.id, found.manifest.version, found.size) == ("dice", "1.0.0", len(data))
    assert found.file_name == "dice_1.0.0.bmpk"
    assert {member.path for member in archive.members} == {"plugin.json", "plugin.py"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_package_is_refused_with_the_reason(kind: str) -> None:
    make, word = HOSTILE[kind]
    with pytest.raises(BadPackage, match=word):
        read_package(io.BytesIO(make()))


@pytest.mark.parametrize("name", ["dice.bmpk", "dice_1.0.1.bmpk", "Dice_1.0.0.bmpk", "dice_1.0.0.zip"])
def test_a_file_of_another_name_than_its_manifest_says_is_refused(name: str) -> None:
    with pytest.raises(BadPackage, match="its name says"):
        read_package(io.BytesIO(package()), name=name)


def test_another_file_than_the_one_that_is_meant_is_refused() -> None:
    with pytest.raises(BadPackage, match="sha256"):
        read_package(io.BytesIO(package()), sha256=hashlib.sha256(package(said="2")).hexdigest())


def test_an_archive_that_is_too_large_is_not_looked_into() -> None:
    class Huge(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            return 51 << 20 if whence == io.SEEK_END else super().seek(offset, whence)

    with pytest.raises(BadPackage, match="larger than 50 MiB"):
        read_package(Huge(package()))


def test_folders_and_what_may_be_executed_are_kept() -> None:
    data = zipped({"plugin.json": '{"id": "a", "version": "1"}', "plugin.py": "", "data/": "", "data/x": "1"})
    _, archive = read_package(io.BytesIO(data))
    assert {member.path: member.executable for member in archive.members}["data/x"] is False


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_flipped_byte_never_raises_anything_else(at: int, byte: int) -> None:
    data = bytearray(package())
    data[at % len(data)] = byte
    with contextlib.suppress(BadPackage):
        read_package(io.BytesIO(bytes(data)))
