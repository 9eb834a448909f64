"""A release's card as one page: it holds its styles and pictures, asks nothing, runs nothing."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from shared.figures import ends_of, figures_of
from shared.schemas.figures import Figure
from worker.gan import card_plots

MOST_VALUES: Final = 14
"""Values of an attribute that are listed with their counts; the rest are counted together."""

_SHEET_PIXELS: Final = 1024  # the sample sheet is shown about so wide
_MINUTE: Final = 60
_NOTHING: Final = "\N{EN DASH}"
_MILLION: Final = 1_000_000
_JOULES_OF_WATT_HOUR: Final = 3_600

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_FIGURES: Final = MappingProxyType(
    {
        "fd_indomain": ("Fréchet distance", "from garments never trained on"),
        "kd_indomain": ("Kernel distance", "the same, and fair on few images"),
        "swd_indomain": ("Sliced distance", "over many random directions"),
        "prdc_indomain.precision": ("Precision", "designs that lie among real garments"),
        "prdc_indomain.recall": ("Recall", "real garments that lie among designs: variety"),
        "prdc_indomain.density": ("Density", "how thickly real garments lie around designs"),
        "prdc_indomain.coverage": ("Coverage", "real garments with a design nearby"),
        "classifier_score": ("Classifier score", "each value clear, and all of them"),
        "condition_accuracy": ("Asked and got", "designs taken for what was asked"),
        "colour_error": ("Colour error", "CIEDE2000 from what was asked"),
        "train_on_generated": ("Taught by designs", "a classifier of designs, tried on garments"),
        "test_on_generated": ("Tried on designs", "a classifier of garments, tried on designs"),
        "nearest_training_percentile": ("Learned by heart", "designs too near a known garment"),
        "fid_inception": ("Fréchet Inception distance", "the published measure"),
        "inception_score": ("Inception score", "the published measure"),
    }
)
_ORIGIN: Final = (
    ("Model", "model"), ("Release", "release"), ("Catalog", "catalog"),
    ("Catalog version", "catalog_version"), ("Job", "job"),
)  # fmt: skip
_NOT_ASKED: Final = frozenset({"hyper", "kind", "schema_version", "catalog_id", "catalog_version"})


@dataclass(frozen=True)
class _Row:
    """One line of the table of figures."""

    figure: Figure
    name: str
    about: str
    scale: card_plots.Scale | None
    others: tuple[str, ...]


def render(card: Mapping[str, Any], *, grid: bytes) -> bytes:
    """Return a release's card as an HTML page, UTF-8.

    Every part is shown that the card has, and none is needed: cards of all versions are read.

    Args:
        card: what card.json holds.
        grid: the sample sheet, PNG.
    """
    trained_on, recipe = _part(card, "trained_on"), _part(card, "recipe")
    marks = _marks(card, recipe)
    figures = figures_of(card)
    baselines = _baselines(card)
    page = _TEMPLATES.get_template("card_page.html").render(
        card=card,
        origin=_part(card, "origin"),
        made=_day(_part(card, "origin").get("made_at")),
        strip=_strip(card, trained_on),
        sheet=_sheet(grid, trained_on),
        attributes=[_attribute(*one) for one in _part(trained_on, "attributes").items()],
        data=_data(card, trained_on),
        choices=card["choices"] if isinstance(card.get("choices"), list) else [],
        asked=_facts(_asked(card, recipe)),
        settings=_facts(_part(recipe, "hyper")),
        metric=_metric(card, figures, marks),
        losses=card_plots.loss_plots(_list(card, "losses"), events=marks),
        figures=_rows(figures, baselines),
        letters={letter for figure in figures for letter in "ABC" if f"[{letter}@" in figure.key},
        baselines=list(baselines),
        events=[_event(one) for one in _list(card, "events")],
        machine=_machine(card),
        plots=card_plots,
        number=number,
        told=told,
    )
    return page.encode()


def number(value: float) -> str:
    """Return a number with three digits that count, such as 3,950, 19.1 or 0.0312."""
    if not math.isfinite(value):
        return _NOTHING
    size = abs(value)
    if size >= 100:  # noqa: PLR2004 - three digits before the point
        return f"{value:,.0f}"
    if size == 0:
        return "0"
    digits = min(max(2 - math.floor(math.log10(size)), 0), 6)
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def told(value: Any) -> str:
    """Return plain data as people read it: lists with commas, nothing as a dash."""
    if isinstance(value, Mapping):
        kept = {name: one for name, one in value.items() if one is not None}
        return ", ".join(f"{_words(str(name))} {told(one)}" for name, one in kept.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(told, value)) or _NOTHING
    return _told_one(value)


def _told_one(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    return _NOTHING if value is None else str(value) or _NOTHING


def _part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = values.get(name)
    return part if isinstance(part, Mapping) else {}


def _list(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = values.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _words(name: str) -> str:
    return name.replace("_", " ")


def _facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(_words(name), told(value)) for name, value in values.items()]


def _asked(card: Mapping[str, Any], recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was asked: the job's spec, or the recipe of a training without a job."""
    asked = _part(card, "spec") or recipe
    return {name: value for name, value in asked.items() if name not in _NOT_ASKED}


def _strip(card: Mapping[str, Any], trained_on: Mapping[str, Any]) -> list[tuple[str, str]]:
    size, channels = trained_on.get("size"), trained_on.get("channels")
    wanted = (
        ("garments", _count(trained_on.get("garments"))),
        ("grey" if channels == 1 else "in colour", f"{size} px" if size else None),
        ("images seen", _count(card.get("images_seen"))),
        ("of training", _lasting(card.get("seconds"))),
        ("images a second", _count(card.get("images_per_second"))),
        ("device", str(_part(card, "device").get("kind", "")).upper() or None),
    )
    return [(name, value) for name, value in wanted if value]


def _count(value: Any) -> str | None:
    if not isinstance(value, int | float):
        return None
    return f"{value / _MILLION:.2f} M" if value >= _MILLION else f"{value:,.0f}"


def _lasting(seconds: Any) -> str | None:
    if not isinstance(seconds, int | float):
        return None
    hours, rest = divmod(round(seconds), _MINUTE * _MINUTE)
    minutes, rest = divmod(rest, _MINUTE)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _day(text: Any) -> str | None:
    try:
        return datetime.fromisoformat(str(text)).strftime("%-d %B %Y")
    except ValueError:
        return None


def _sheet(grid: bytes, trained_on: Mapping[str, Any]) -> dict[str, Any]:
    with Image.open(BytesIO(grid)) as picture:
        width, height = picture.size
    first = next(iter(_part(trained_on, "attributes").items()), None)
    labels: list[str] = []
    size = trained_on.get("size")
    if first and isinstance(first[1], Mapping) and isinstance(size, int) and size > 0:
        values = [str(value) for value in first[1]]
        # Only a sheet with one row a value has labels; a long vocabulary is cut at the sheet's end.
        labels = values[: height // size] if height // size <= len(values) else []
    return {
        "uri": "data:image/png;base64," + base64.b64encode(grid).decode(),
        "width": width,
        "height": height,
        "crisp": width * 2 <= _SHEET_PIXELS,
        "labels": labels,
        "by": first[0] if first and labels else None,
    }


def _attribute(name: str, counts: Any) -> dict[str, Any]:
    known = {
        str(value): count
        for value, count in (counts.items() if isinstance(counts, Mapping) else ())
        if isinstance(count, int | float)
    }
    ordered = sorted(known.items(), key=lambda pair: -pair[1])
    most = max(known.values(), default=0) or 1
    return {
        "name": name,
        "rows": [(value, count, 100 * count / most) for value, count in ordered[:MOST_VALUES]],
        "left": len(ordered) - MOST_VALUES,
        "left_count": sum(count for _, count in ordered[MOST_VALUES:]),
    }


def _data(card: Mapping[str, Any], trained_on: Mapping[str, Any]) -> list[tuple[str, str]]:
    origin = _part(card, "origin")
    facts = [(title, str(origin[name])) for title, name in _ORIGIN if name in origin]
    rest = {
        name: value
        for name, value in trained_on.items()
        if name not in {"attributes", "size", "channels"}
    }
    facts += [(_words(name).capitalize(), told(value)) for name, value in rest.items()]
    if "held_out" in card:
        facts.append(("Kept back", told(card["held_out"])))
    if card.get("warm_start"):
        facts.append(("Went on from", told(card["warm_start"])))
    return facts


def _marks(card: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[float]:
    """Return how many images had been seen at each event: curves count images, events steps."""
    batch = _part(recipe, "hyper").get("batch")
    steps = [one.get("step") for one in _list(card, "events")]
    if not isinstance(batch, int):
        return []
    return [float(step * batch) for step in steps if isinstance(step, int)]


def _metric(
    card: Mapping[str, Any], figures: Sequence[Figure], marks: Sequence[float]
) -> card_plots.Plot | None:
    key = card.get("metric")
    ends = next((ends_of(one) for one in figures if one.key == key), None)
    curve, best = _list(card, "metric_curve"), card.get("best_reading")
    return card_plots.metric_plot(
        curve,
        key=key if isinstance(key, str) else None,
        real=None if ends is None else ends[0],
        best=best if isinstance(best, int) else None,
        events=marks,
    )


def _baselines(card: Mapping[str, Any]) -> dict[str, dict[str, Figure]]:
    """Return preset -> key -> figure of the trainings that stand beside this one."""
    return {
        str(one.get("preset", "baseline")): {figure.key: figure for figure in figures_of(one)}
        for one in _list(card, "baselines")
    }


def _rows(figures: Sequence[Figure], baselines: Mapping[str, Mapping[str, Figure]]) -> list[_Row]:
    rows = []
    for figure in figures:
        subject = figure.key.partition("[")[0]
        family, _, rank = subject.partition(".")
        name, about = _FIGURES.get(subject) or _FIGURES.get(family) or (family, "")
        same = {preset: one[figure.key] for preset, one in baselines.items() if figure.key in one}
        others = tuple(
            number(same[preset].value) if preset in same else _NOTHING for preset in baselines
        )
        if subject not in _FIGURES:
            name = ", ".join(filter(None, (_title(name), _words(rank))))
        rows.append(_Row(figure, name, about, card_plots.scale(figure, same), others))
    return rows


def _title(text: str) -> str:
    words = _words(text)
    return words[:1].upper() + words[1:]


def _event(event: Mapping[str, Any]) -> dict[str, str]:
    cause = _title(str(event.get("cause", "something looked wrong")))
    back = event.get("went_back_to")
    return {
        "step": told(event.get("step")),
        "cause": cause,
        "back": "" if back is None else told(back),
        "changed": told(event.get("changed")),
    }


def _energy(joules: Any) -> str:
    if not isinstance(joules, int | float):
        return told(joules)
    return f"{number(joules / _JOULES_OF_WATT_HOUR)} Wh, of the processors alone"


def _machine(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    device = _part(card, "device")
    facts = [
        ("Device", str(device["name"])) if device.get("name") else None,
        ("Numbers", str(device["policy"])) if device.get("policy") else None,
        ("Steps", told(card["steps"])) if "steps" in card else None,
        ("Energy", _energy(card["energy_joules"])) if card.get("energy_joules") else None,
    ]
    versions = [(f"{name}", str(value)) for name, value in _part(card, "versions").items()]
    return [fact for fact in facts if fact is not None] + versions
