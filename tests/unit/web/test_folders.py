"""Only what lies below a root is read."""

from pathlib import Path

import pytest

from shared.errors import ForbiddenError, InvalidInputError
from web.folders import resolved


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "inside").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return tmp_path / "root"


def test_a_root_itself_and_what_is_below_it_are_read(root: Path) -> None:
    assert resolved(str(root), [root]) == root
    assert resolved(f"{root}/inside/../inside", [root]) == root / "inside"


def test_a_link_within_a_root_is_followed(root: Path) -> None:
    (root / "link").symlink_to(root / "inside")
    assert resolved(f"{root}/link", [root]) == root / "inside"


def test_a_root_may_be_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert resolved(f"{link}/inside", [link]) == root / "inside"


@pytest.mark.parametrize("way", ["..", "../outside", "link", "link/deeper", "inside/../../outside"])
def test_no_way_leads_out(root: Path, way: str) -> None:
    (root / "link").symlink_to(root.parent / "outside")
    with pytest.raises(ForbiddenError, match="TOILE_IMPORT_ROOTS"):
        resolved(f"{root}/{way}", [root])


def test_without_roots_nothing_is_read(root: Path) -> None:
    with pytest.raises(ForbiddenError):
        resolved(str(root), [])


@pytest.mark.parametrize("path", ["inside", "./inside", "\0", "/a\0b"])
def test_what_is_no_absolute_path_is_refused(root: Path, path: str) -> None:
    with pytest.raises(InvalidInputError):
        resolved(path, [root])


def test_a_chain_of_links_without_end_is_refused(root: Path) -> None:
    (root / "a").symlink_to(root / "b")
    (root / "b").symlink_to(root / "a")
    with pytest.raises((ForbiddenError, InvalidInputError)):
        resolved(f"{root}/a", [root])
