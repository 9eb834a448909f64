"""What a device is found to be."""

from pathlib import Path

import pytest

from worker.gan.device import Device, prepare, processor_halves


def processors(*flags: str) -> str:
    return "\n".join(f"processor\t: {i}\nflags\t\t: {one}" for i, one in enumerate(flags))


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (processors("fpu avx2 avx512_bf16", "fpu avx2 avx512_bf16"), True),
        (processors("fpu amx_bf16 amx_tile"), True),
        (processors("fpu avx2 avx512f"), False),
        (processors("fpu avx512_bf16", "fpu avx2"), False),
        ("", False),
    ],
)
def test_only_processors_that_all_multiply_bfloat16_count(
    *, told: str, found: bool, tmp_path: Path
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(told)
    assert processor_halves(path) is found


def test_a_system_that_does_not_tell_counts_as_unable(tmp_path: Path) -> None:
    assert not processor_halves(tmp_path / "none")


def test_a_precision_sets_the_policy_and_auto_leaves_it() -> None:
    device = Device("cpu", "test", "float32", compiled=False, halves=True)
    assert device.at("auto") is device
    assert device.at("bfloat16").policy == "mixed_bfloat16"
    assert device.at("bfloat16").at("float32").policy == "float32"


def test_designs_are_made_in_float32_on_a_cpu() -> None:
    found = prepare()
    assert found.kind == "gpu" or found.policy == "float32"
