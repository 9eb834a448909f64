"""Times a peer's training step: `PYTHON_WITH_TORCH -m tests.bench.peers ask.json` prints JSON.

It runs in an interpreter of its own, because PyTorch is nothing that Toile installs; it must
import nothing but PyTorch, NumPy and its neighbours.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.bench.peers import dcgan_torch, residual_torch
from tests.bench.peers.training_torch import Catalog, Training

LAYOUTS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}

NETWORKS: dict[str, Any] = {"residual": residual_torch, "dcgan": dcgan_torch}

WARM_STEPS = 3


def main() -> None:
    """Read what is asked, measure, print."""
    ask: dict[str, Any] = json.loads(Path(sys.argv[1]).read_bytes())
    torch.manual_seed(0)
    if ask["threads"]:
        torch.set_num_threads(ask["threads"])
    speeds = {
        (halves, name): speed(ask, layout, halves=halves)
        for halves in ((False, True) if ask["halves"] else (False,))
        for name, layout in LAYOUTS.items()
    }
    plain = {name: found for (halves, name), found in speeds.items() if not halves}
    fastest = max(plain, key=lambda name: plain[name])
    training = built(ask, torch.contiguous_format)
    answer = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "layout": fastest,
        "images_per_second": plain[fastest],
        "images_per_second_bfloat16": max(
            (found for (halves, _), found in speeds.items() if halves), default=None
        ),
        "parameters": {
            "generator": parameters(training.generator),
            "critic": parameters(training.discriminator),
        },
        "difference": difference(training, Path(ask["probe"])),
    }
    sys.stdout.write(json.dumps(answer) + "\n")


def built(ask: dict[str, Any], layout: torch.memory_format, *, halves: bool = False) -> Training:
    """Make a training on the catalog that is named."""
    with np.load(ask["data"], allow_pickle=False) as arrays:
        images, labels = torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"])
    shape = residual_torch.Shape(images.shape[1], images.shape[3], ask["values"])
    made, hyper = NETWORKS[ask["preset"]], ask["hyper"]
    networks = made.Generator(hyper, shape), made.Discriminator(hyper, shape)
    average = made.Generator(hyper, shape)
    catalog = Catalog(images, labels.long(), layout)
    return Training(hyper, (*networks, average), catalog, halves=halves)


def speed(ask: dict[str, Any], layout: torch.memory_format, *, halves: bool) -> float:
    """Return images a second over half of the seconds asked for, after a few warm steps."""
    training = built(ask, layout, halves=halves)
    for _ in range(WARM_STEPS):
        training.step()
    begun, steps = time.perf_counter(), 0
    while time.perf_counter() - begun < ask["seconds"] / len(LAYOUTS):
        training.step()
        steps += 1
    return float(steps * ask["hyper"]["batch"] / (time.perf_counter() - begun))


def parameters(network: nn.Module) -> int:
    """Count what is trained."""
    return sum(parameter.numel() for parameter in network.parameters())


def difference(training: Training, probe: Path) -> dict[str, float]:
    """Put our weights in, and return the largest difference between our outputs and the peer's.

    The probe holds `latents`, `labels`, `images` [n, h, w, c], our `painted` and `judged`, and
    both networks' weights in order, as `generator/000` and so on, and their other state as
    `generator-state/000`.
    """
    with np.load(probe, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for part, network in (("generator", training.generator), ("critic", training.discriminator)):
        put(network, [arrays[name] for name in sorted(arrays) if name.startswith(part + "/")])
        put_state(network, [arrays[name] for name in sorted(arrays) if name.startswith(part + "-")])
    latents, labels = torch.from_numpy(arrays["latents"]), torch.from_numpy(arrays["labels"])
    images = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2)
    training.generator.eval()
    training.discriminator.eval()
    with torch.no_grad():
        painted = training.generator(latents, labels.long()).permute(0, 2, 3, 1).numpy()
        judged = training.discriminator(images, labels.long()).numpy()
    return {
        "generator": float(np.abs(painted - arrays["painted"]).max()),
        "critic": float(np.abs(judged - arrays["judged"]).max()),
    }


def put(network: nn.Module, arrays: list[Any]) -> None:
    """Copy Keras' weights in order; its kernels have channels in before channels out, last."""
    owners = {id(p): module for module in network.modules() for p in module.parameters(False)}
    for parameter, array in zip(network.parameters(), arrays, strict=True):
        turned = torch.from_numpy(array)
        if turned.ndim == 4:
            turned = turned.permute(3, 2, 0, 1)
        elif isinstance(owners[id(parameter)], nn.Linear) and turned.ndim == 2:
            turned = turned.T
        if parameter.shape != turned.shape:
            raise ValueError(f"{tuple(turned.shape)} does not fit {tuple(parameter.shape)}.")
        with torch.no_grad():
            parameter.copy_(turned)


def put_state(network: nn.Module, arrays: list[Any]) -> None:
    """Copy the means and variances of Keras' batch norms, in order; other state it has none of."""
    names = ("running_mean", "running_var")
    own = [buffer for name, buffer in network.named_buffers() if name.endswith(names)]
    statistics = [array for array in arrays if array.dtype == np.float32 and array.ndim == 1]
    for buffer, array in zip(own, statistics, strict=True):
        buffer.copy_(torch.from_numpy(array))


if __name__ == "__main__":
    main()
