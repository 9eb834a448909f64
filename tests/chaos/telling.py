"""A run's result for people."""

from collections.abc import Mapping
from typing import Any

from tests.chaos.run import Told

_SHOWN = 50


def markdown(told: Told) -> str:
    """Return a page that says what was asked, what was done, and what became of it."""
    facts = told.as_json()
    seconds = facts["seconds"]
    good = "Every accepted job ended exactly once in effect."
    bad = f"{len(told.findings)} troubles."
    lines = [
        f"# Chaos, seed {facts['asked']['seed']}, {facts['database']}",
        "",
        bad if told.findings else good,
        "",
        f"Broken for {seconds['broken']} s, at rest {seconds['until_rest']} s later.",
        f"Load before: {facts['load_before']}; commit {facts['machine']['commit']}.",
        "",
        *_table("accepted jobs", facts["accepted"]),
        *_table("troubles", facts["troubles"]),
        *_table("faults", facts["faults"]),
        *_table("messages sent a second time", facts["messages_repeated"]),
        *_table("processes started again", facts["restarts"]),
        *_table("how tries ended", facts["outcomes"]),
        f"Answers kept from their clients: {facts['answers_lost']}.",
        f"Connections that broke: {facts['connections_broken']}.",
        f"HTTP answers: {facts['statuses']}.",
        f"Not done here: {', '.join(facts['not_done']) or 'nothing'}.",
        "",
        *(f"- {one}" for one in told.findings[:_SHOWN]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(title: str, values: Mapping[str, Any]) -> list[str]:
    rows = [f"| {name} | {value} |" for name, value in values.items()]
    return [f"| {title} | |", "|---|---|", *rows, ""]
