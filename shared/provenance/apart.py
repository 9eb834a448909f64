"""Looking at a stranger's picture in a process of its own, with little memory and little time.

A decoder has had its faults, and will have more. Whatever a file makes of this one - a crash, all
the memory it can get, a loop without end - ends that process alone, and the server goes on.
"""

import base64
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

import shared
from shared.errors import TooLargeError, UnreadableSourceError
from shared.provenance.opened import Opened, look
from shared.schemas.provenance import Mark

# A frame at the limit takes 100 MB; the interpreter, NumPy and Pillow reserve half a gigabyte.
_MEMORY: Final = 2**30
_CORE_SECONDS: Final = 15
_WALL_SECONDS: Final = 30.0
_ROOT: Final = str(Path(shared.__file__).parents[1])
_REFUSALS: Final = {one.reason: one for one in (TooLargeError, UnreadableSourceError)}


def look_apart(content: bytes, *, seconds: float = _WALL_SECONDS) -> Opened:
    """Open a picture file as `look` does, in another process.

    Args:
        content: the file.
        seconds: how long it may take.

    Raises:
        UnreadableSourceError, TooLargeError: as `look`; also where the process died of the file.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "shared.provenance.apart"],
            input=content,
            capture_output=True,
            timeout=seconds,
            check=False,
            # One thread: more of them reserve memory that the limit counts.
            env={"PYTHONPATH": os.pathsep.join([_ROOT, *sys.path]), "OPENBLAS_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise _died(f"was not decoded within {seconds:g} s") from None
    if done.returncode:
        raise _died("could not be decoded with the memory and time that a picture gets")
    told = json.loads(done.stdout)
    if "refused" in told:
        raise _REFUSALS[told["refused"]](told["message"], **told["details"])
    return _opened(told)


def _died(what: str) -> UnreadableSourceError:
    return UnreadableSourceError(
        f"The picture {what}, so it is taken for damaged. Save it anew with an image editor and "
        "send that copy."
    )


def _told(content: bytes) -> dict[str, Any]:
    try:
        found = look(content)
    except (TooLargeError, UnreadableSourceError) as error:
        return {"refused": error.reason, "message": error.message, "details": error.details}
    return {
        "media_type": found.media_type,
        "frames": found.frames,
        "pixels_sha256": found.pixels_sha256,
        "perceptual_hash": found.perceptual_hash,
        "thumbnail": base64.b64encode(found.thumbnail.tobytes()).decode(),
        "shape": found.thumbnail.shape,
        "mark": None if found.mark is None else found.mark.model_dump(mode="json"),
    }


def _opened(told: dict[str, Any]) -> Opened:
    pixels = np.frombuffer(base64.b64decode(told["thumbnail"]), dtype=np.uint8)
    return Opened(
        media_type=str(told["media_type"]),
        frames=int(told["frames"]),
        pixels_sha256=str(told["pixels_sha256"]),
        perceptual_hash=int(told["perceptual_hash"]),
        thumbnail=pixels.reshape(told["shape"]),
        mark=None if told["mark"] is None else Mark.model_validate(told["mark"]),
    )


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CORE_SECONDS, _CORE_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.write(json.dumps(_told(sys.stdin.buffer.read())))


if __name__ == "__main__":
    _main()
