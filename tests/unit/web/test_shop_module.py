"""The JavaScript module for shop pages: served to any page, and right by Node's own test runner."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from web import shop

MODULE = Path(shop.__file__).with_name("toile.js")
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
def test_the_module_by_its_own_tests() -> None:
    tests = Path(__file__).with_name("shop_module.test.mjs")
    module = {**os.environ, "MODULE": str(MODULE)}  # noqa: TID251 - handed on whole
    done = subprocess.run(
        [str(NODE), "--test", "--experimental-default-type=module", str(tests)],
        env=module,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout


def test_the_module_needs_nothing_else() -> None:
    text = MODULE.read_text()
    assert "\nimport " not in text
    assert "require(" not in text
    assert "innerHTML" not in text
