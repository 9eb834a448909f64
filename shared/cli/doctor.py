"""`toile doctor`: what works, what is missing, and how to mend it."""

import click

from shared.cli.output import json_option, print_json
from shared.schemas.base import Schema


class Finding(Schema):
    """What one check found."""

    name: str
    ok: bool
    found: str
    mend: str | None = None


@click.command()
@json_option
def doctor(*, as_json: bool) -> int:
    """Say what works, what is missing, and how to mend it; anything missing is exit code 1.

    Run it where the processes run: it looks at this machine, with this machine's settings.
    """
    from shared.cli.checks import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        print_json(findings)
    return 0 if all(finding.ok for finding in findings) else 1


def _show(finding: Finding) -> None:
    mark = click.style("ok     ", fg="green") if finding.ok else click.style("missing", fg="red")
    click.echo(f"{mark}  {finding.name:<12}{finding.found}")
    if finding.mend is not None:
        click.echo(f"{'':21}{finding.mend}")
