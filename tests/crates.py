"""What others' tools say of an archive: ro-crate-py reads the crate, roc-validator checks it."""

import hashlib
import json
import warnings
import zipfile
from pathlib import Path
from unittest import mock

import requests
import rocrate
from rocrate.rocrate import ROCrate
from rocrate_validator import models, services

# What the validator fetches, here without a network: ro-crate-py has the specification's context.
# Of the profile's, which adds to it, an archive uses one term.
CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": (
        Path(rocrate.__file__).with_name("data") / "ro-crate.jsonld"
    ).read_text(encoding="utf-8"),
    "https://w3id.org/ro/terms/workflow-run/context": json.dumps(
        {"@context": {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}}
    ),
}
# What the profiles recommend and nothing recorded can say: who ran it, and where it is published.
NOT_KNOWN = {
    "The Action SHOULD have an agent that is a Person or Organization",
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The organization SHOULD have a URL.",
    "The author SHOULD have an organizational affiliation.",
    "The author SHOULD have a Contextual Entity which specifies the organizational `affiliation`.",
    "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
    # Its required properties include the above.
    "The Main Workflow SHOULD comply with Bioschemas ComputationalWorkflow profile version 1.0 or "
    "later",
    # These ask for a README at the root; ours lies with the results.
    "The README.md SHOULD be about the crate",
    "The README.md SHOULD have text/markdown as its encodingFormat",
}


def _answer(self, method, url, **_):
    response = requests.Response()
    response.status_code = 200
    response.headers["Content-Type"] = "application/ld+json"
    response._content = CONTEXTS[url].encode()
    return response


def breaches(archive: Path) -> set[str]:
    """List what an archive breaches of the profile Workflow Run Crate and those it extends."""
    settings = services.ValidationSettings(
        rocrate_uri=models.URI(str(archive)),
        profile_identifier="workflow-run-crate",
        requirement_severity=models.Severity.RECOMMENDED,
        no_cache=True,
    )
    with mock.patch.object(requests.Session, "request", _answer), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of rdflib, in the validator
        issues = services.validate(settings).get_issues()
    return {issue.message for issue in issues} - NOT_KNOWN


def untruths(archive: Path) -> list[str]:
    """List the files of an archive that are not as its crate says, or of which it says nothing."""
    with zipfile.ZipFile(archive) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    described = {entity.id: entity for entity in ROCrate(archive).data_entities}
    apart = {name for name in contents if name.endswith(("ro-crate-metadata.json", "SHA256SUMS"))}
    wrong = set(described) ^ (set(contents) - apart)
    for name in set(described) & set(contents):
        entity, data = described[name], contents[name]
        facts = (entity["contentSize"], entity["sha256"])
        if facts != (str(len(data)), hashlib.sha256(data).hexdigest()):
            wrong.add(name)
    return sorted(wrong)
