"""What the documents say is there, is there; `make lint` runs these."""

import re
from pathlib import Path

import pytest
from click import Context

from shared.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")
TARGET = re.compile(r"^([a-z][a-z-]*):.*## ", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(page.read_text())
    broken = [link for link in links if not (page.parent / link).exists()]
    assert broken == []


def test_every_setting_is_described_with_its_default() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    missing = [
        name
        for name, field in Settings.model_fields.items()
        if f"| `{PREFIX}{name.upper()}` |" not in text or str(field.description) not in text
    ]
    assert missing == []


def test_no_setting_is_described_that_does_not_exist() -> None:
    named = set(
        re.findall(r"^\| `TOILE_(\w+)` \|", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    )
    known = {name.upper() for name in Settings.model_fields} | {"URL", "API_KEY"}
    assert named <= known


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    named = {
        target for page in PAGES for target in re.findall(r"`make ([a-z][a-z-]*)", page.read_text())
    }
    assert named - targets == set()


def test_every_option_of_toile_that_the_makefile_uses_exists() -> None:
    from shared.cli import toile

    used = re.findall(r"\$\(BIN\)/toile (\w+)([^\n]*)", (ROOT / "Makefile").read_text())
    assert used
    for name, rest in used:
        command = toile.get_command(Context(toile), name)
        assert command is not None
        known = {option for each in command.params for option in each.opts}
        assert set(re.findall(r"(--[a-z-]+)", rest)) <= known, name


def test_every_word_of_the_glossary_is_used_in_the_code() -> None:
    rows = re.findall(
        r"^\| ([a-z][a-z ]+?) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE
    )
    code = " ".join(
        path.read_text().lower()
        for side in ("web", "worker", "shared")
        for path in (ROOT / side).rglob("*.py")
    )
    later = {"shopper", "preference", "taste", "moodboard", "word"}
    assert [word for word in rows if word not in later and word not in code] == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
