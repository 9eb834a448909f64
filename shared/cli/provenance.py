"""`toile provenance`."""

from pathlib import Path
from typing import Final

import click

from shared.cli.output import json_option, print_json, print_table
from shared.cli.server import with_client
from shared.client import Client
from shared.schemas.provenance import Manifest, ManifestState, Provenance, Signer

_SIGNERS: Final = {
    Signer.OURS: "signed by this server",
    Signer.TRUSTED: "signed by an issuer that this server trusts",
    Signer.UNKNOWN: "signed by nobody that this server knows",
}
_STATES: Final = {
    ManifestState.ABSENT: "none",
    ManifestState.VALID: "valid",
    ManifestState.INVALID: "does not hold",
    ManifestState.NOT_CHECKED: "not checked: the server has no C2PA library",
}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@with_client
def provenance(client: Client, *, file: Path, as_json: bool) -> None:
    """Tell whether a picture is one of the site's designs, when it was made, and with what."""
    found = client.provenance(file)
    if as_json:
        print_json(found)
        return
    click.echo(found.worth)
    print_table(["FIELD", "VALUE"], _rows(found), empty="")


def _rows(found: Provenance) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [("evidence", found.evidence)]
    design = found.design
    if design is not None:
        rows += [
            ("design", design.id),
            ("made", design.created_at),
            ("release", design.release_id),
            ("seed", design.seed),
            ("job", design.job_id),
            ("same pixels", "yes" if found.same_pixels else "no"),
        ]
    if found.distance is not None:
        rows.append(("hash differs in", f"{found.distance} of 64 bits"))
        rows.append(("thumbnail differs by", f"{found.difference} of 255 levels"))
    if found.searched:
        rows.append(("designs compared", found.searched))
    if found.mark is not None:
        rows.append(("the file says", f"{found.mark.tool}, design {found.mark.design_id}"))
    rows.append(("C2PA manifest", _manifest(found.manifest)))
    return rows


def _manifest(manifest: Manifest) -> str:
    words = [_STATES[manifest.state]]
    if manifest.signer is not None:
        words.append(_SIGNERS[manifest.signer])
    if manifest.common_name is not None:
        words.append(f"certificate of {manifest.common_name} ({manifest.issuer})")
    return ", ".join([*words, *manifest.problems])
