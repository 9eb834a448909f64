"""`toile backup`, `restore`, `verify`, `orphans` and `retention`: keeping what was stored."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import click

from shared.cli.database import open_records
from shared.cli.output import json_option, print_json, say
from shared.keeping.opening import open_checked
from shared.records import Records
from shared.settings import load_settings

_MIB: Final = 2**20
_EVERY: Final = 100


@click.command()
@click.argument("target")
@json_option
def backup(target: str, *, as_json: bool) -> int:
    """Write records and artifacts to TARGET, while all goes on.

    TARGET is a folder where it ends with a slash or is an empty one, else one tar file. Neither
    holds TOILE_SECRET_KEY, API keys' secrets, or the C2PA key.
    """
    from shared.keeping.backup import back_up

    settings = load_settings()
    path, is_folder = Path(target), target.endswith("/") or Path(target).is_dir()
    with open_records(settings) as records:
        store = open_checked(settings, records)
        made = back_up(records, store, path, folder=is_folder, on_progress=_progress("Copied"))
    size = sum(one.size for one in made.artifacts)
    if as_json:
        print_json(
            {"target": target, "rows": sum(made.rows.values()), "bytes": size,
             "artifacts": len(made.artifacts), "missing": made.missing}
        )  # fmt: skip
    else:
        click.echo(
            f"Wrote {sum(made.rows.values())} rows and {len(made.artifacts)} artifacts "
            f"({size / _MIB:.1f} MiB) to {target}."
        )
        for key in made.missing:
            click.echo(f"{click.style('missing', fg='red')}  {key}")
    return 1 if made.missing else 0


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Let the database lose what it holds.")
def restore(source: Path, *, force: bool) -> None:
    """Put the backup SOURCE into an empty database and store; stop all processes before.

    The database may be SQLite where it was PostgreSQL, and the other way. `toile verify` looks
    whether all is there.
    """
    from shared.keeping.restore import restore as put_back

    settings = load_settings()
    with closing(Records(settings.database)) as records:
        store = open_checked(settings, records)
        made = put_back(records, store, source, force=force, on_progress=_progress("Put back"))
    click.echo(
        f"Put back {sum(made.rows.values())} rows and {len(made.artifacts)} artifacts. "
        "`toile verify` looks whether all is whole."
    )


@click.command()
@click.option("--quick", is_flag=True, help="Look only whether artifacts are there.")
@click.option("--adopt", is_flag=True, help="Write down hashes that never were.")
@json_option
def verify(*, quick: bool, adopt: bool, as_json: bool) -> int:
    """Look whether all that the records name is in the store, and whole; exit code 1 if not."""
    from shared.keeping.verifying import Fault, Verifier

    if quick and adopt:
        message = "--adopt reads every artifact, and --quick reads none; give one of them."
        raise click.UsageError(message)
    settings = load_settings()
    with open_records(settings) as records:
        progress = _progress("Looked at")
        verifier = Verifier(
            records,
            open_checked(settings, records),
            quick=quick,
            adopt=adopt,
            on_progress=lambda count: progress(count, 0),
        )
        findings = []
        for one in verifier.findings():
            findings.append(one)
            if not as_json:
                colour = "yellow" if one.fault is Fault.UNKNOWN else "red"
                mark = click.style(f"{one.fault:<8}", fg=colour)
                click.echo(f"{mark} {one.key} ({one.by}): {one.told}")
    bad = [one for one in findings if one.fault is not Fault.UNKNOWN]
    if as_json:
        print_json({"looked_at": verifier.looked_at, "findings": findings})
    else:
        how = "are there" if quick else "are there and whole"
        click.echo(
            f"Of {verifier.looked_at} artifacts {verifier.looked_at - len(bad)} {how}."
            if bad
            else f"All {verifier.looked_at} artifacts {how}."
        )
    return 1 if bad else 0


@click.command()
@click.option("--delete", is_flag=True, help="Remove them.")
@json_option
def orphans(*, delete: bool, as_json: bool) -> None:
    """List artifacts that no row names and that are old enough to go; upkeep removes them too."""
    from shared.keeping.orphans import Orphans

    settings = load_settings()
    with open_records(settings) as records:
        store = open_checked(settings, records)
        found = list(Orphans(records, store, settings).find())
        if delete:
            for one in found:
                store.delete(one.key)
    if as_json:
        print_json(found)
        return
    for one in found:
        click.echo(f"{one.size:>12}  {one.modified:%Y-%m-%d %H:%M}  {one.key}")
    size = sum(one.size for one in found) / _MIB
    verb = "Removed" if delete else "There are"
    click.echo(f"{verb} {len(found)} orphans, {size:.1f} MiB.")


@click.command()
@click.option("--delete", is_flag=True, help="Let it go now.")
@json_option
def retention(*, delete: bool, as_json: bool) -> None:
    """Tell what is past its time: what the next round of retention lets go."""
    from shared.keeping.retention import Retention

    settings = load_settings()
    with open_records(settings) as records:
        kept = Retention(records, open_checked(settings, records), settings)
        going = kept.run() if delete else kept.planned()
    if as_json:
        print_json(going)
        return
    verb = "Went" if delete else "Would go"
    click.echo(
        f"{verb}: {going.jobs} jobs with {going.designs} designs, {going.superseded} older indexes "
        f"and derivations, {going.promises} idempotency keys."
    )


def _progress(verb: str) -> Callable[[int, int], None]:
    def told(count: int, size: int) -> None:
        if count % _EVERY == 0:
            say(f"{verb} {count} artifacts" + (f", {size / _MIB:.0f} MiB" if size else "") + " ...")

    return told
