"""The limit: passes and encoding in one process, with nothing around: `python -m tests.bench.bare`.

Takes the file that says what to do, and prints JSON.
"""

import json
import sys
import time
from pathlib import Path

from shared.schemas.designs import ImageFormat
from tests.bench.peers.models import FILES
from worker.designs.images import encode

_BATCH = 64


def main() -> None:
    """Make and encode full batches for some seconds; print the images a second."""
    asked = json.loads(Path(sys.argv[1]).read_bytes())
    folder = Path(asked["folder"])
    from worker.gan.device import prepare
    from worker.gan.release import load_generator

    prepare()
    generator = load_generator({name: (folder / name).read_bytes() for name in FILES})
    generator.warm()
    began, batches, passes = time.monotonic(), 0, 0.0
    while time.monotonic() < began + asked["seconds"] or not batches:
        started = time.monotonic()
        pictures = generator.generate(
            range(_BATCH * batches, _BATCH * (batches + 1)), [{}] * _BATCH
        )
        passes += time.monotonic() - started
        for picture in pictures:
            encode(picture, size=generator.size, image_format=ImageFormat.PNG)
        batches += 1
    images = _BATCH * batches
    told = {
        "images_per_second": images / (time.monotonic() - began),
        "pass_images_per_second": images / passes,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
