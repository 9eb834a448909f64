"""Words for people: what a job is, how long ago, how much longer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from shared.schemas.jobs import Job, JobKind
from shared.schemas.reports import Failing

_STEPS: Final = ((86_400 * 2, 86_400, "days"), (3_600 * 2, 3_600, "h"), (60, 60, "min"))
_REASONS: Final[Mapping[str, str]] = {
    "lost_worker": "its worker was lost; waiting for another",
    "stalled": "its worker hung and was ended; waiting for another",
    "drained": "its worker was stopped; waiting for another",
    "retrying": "waiting for another try",
    "attempts_exhausted": "every attempt failed",
    "cancelled_by_caller": "cancelled on request",
    "unchanged": "nothing had changed",
    "internal": "something broke in Toile",
}


def ago(then: datetime, now: datetime) -> str:
    """Return how long ago, such as `4 min ago`."""
    seconds = (now - then).total_seconds()
    return f"{lasting(seconds)} ago" if seconds >= 1 else "just now"


def lasting(seconds: float) -> str:
    """Return a length of time in one unit, such as `4 min`."""
    for least, unit, name in _STEPS:
        if seconds >= least:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def number(value: float) -> str:
    """Return a count as people write it, such as `12,480`."""
    return f"{value:,.0f}"


def headline(summary: Mapping[str, Any]) -> str:
    """Return the most important thing that a trend report says, in one sentence."""
    best = {name: _first(summary.get(name)) for name in ("rising", "declining", "emerging")}
    told = [
        f"{value} is {verb}"
        for value, verb in (
            (best["rising"], "rising"),
            (best["emerging"], "emerging"),
            (best["declining"], "going out"),
        )
        if value
    ]
    text = "; ".join(told[:2]) or "nothing moves beyond chance"
    return text[0].upper() + text[1:]


def failing(found: Failing) -> str:
    """Return that a report is the last good one, since when later ones failed, and why."""
    since = f"{found.since.day} {found.since:%B %Y, %H:%M} UTC"
    if found.attempts == 1:
        told = f"a newer one failed on {since}"
    else:
        told = f"{number(found.attempts)} newer ones have failed since {since}, the last"
    why = found.message or _REASONS.get(found.reason, found.reason.replace("_", " "))
    return f"This is the last good report: {told} because: {why}"


def _first(ranked: object) -> str | None:
    if not isinstance(ranked, list):
        return None
    sure = [one for one in ranked if isinstance(one, dict) and one.get("significant")]
    return str(sure[0].get("value")) if sure else None


def title(job: Job, catalogs: Mapping[str, str]) -> str:
    """Return what a job is, in a few words; a spec of any shape is taken."""
    spec = job.spec
    catalog = catalogs.get(str(spec.get("catalog_id")), "a catalog")
    if job.kind is JobKind.TRAINING:
        return f"Train {spec.get('model', 'a model')} on {catalog}"
    if job.kind is JobKind.DESIGN:
        count = spec.get("count", 0)
        return f"{count} design{'' if count == 1 else 's'}"
    if job.kind is JobKind.INGEST:
        return f"Add garments to {catalog}"
    if job.kind is JobKind.FEED:
        return f"Add {spec.get('holds', 'a batch')} to a feed"
    if job.kind is JobKind.MOODBOARD:
        return "Moodboards of a trend report"
    return "Trend report" + (f" on {catalog}" if spec.get("catalog_id") else "")


def note(job: Job) -> str:
    """Return what else there is to say of a job: how it failed, or what it gave."""
    if job.error is not None:
        return job.error.message
    if job.cancel_requested and not job.state.is_final:
        return "asked to stop"
    if job.reason:
        return _REASONS.get(job.reason, job.reason.replace("_", " "))
    return _outcome(job.kind, job.result or {}) or _asked(job.kind, job.spec)


def _outcome(kind: JobKind, result: Mapping[str, Any]) -> str:
    added = {JobKind.INGEST: "added", JobKind.FEED: "rows"}.get(kind)
    if added is None or added not in result:
        return ""
    parts = [f"{number(result[added])} added"]
    for name, word in (("merged", "merged"), ("rejected", "rejected")):
        if result.get(name):
            parts.append(f"{number(result[name])} {word}")
    return ", ".join(parts)


def _asked(kind: JobKind, spec: Mapping[str, Any]) -> str:
    if kind is JobKind.DESIGN:
        condition = spec.get("condition") or {}
        return ", ".join(str(value) for value in condition.values()) or "anything"
    if kind is JobKind.TRAINING:
        labels = ", ".join(spec.get("attributes") or ()) or "no labels"
        return f"{spec.get('size')} px, by {labels}"
    source = spec.get("source")
    if isinstance(source, dict):
        return str(source.get("name") or source.get("path") or "")
    return ""
