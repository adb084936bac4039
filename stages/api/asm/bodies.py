"""Request bodies of releases: what a creation holds, and what an update may change. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gs2admin.errors import Invalid
from gs2admin.wire.reading import read
from stages.api.asm import images

NAME = r"^[a-z][a-z0-9-]{2,62}[a-z0-9]$"
Name = Annotated[str, StringConstraints(strict=True, pattern=NAME)]
Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=128)]


class Body(BaseModel):
    """Base: names as on the wire, unknown members dropped."""

    model_config = ConfigDict(extra="ignore")


class Metadata(Body):
    """uid is the server's; one that is sent is dropped."""

    name: Name
    meshID: Text | None = None
    namespace: Text | None = None


class GrayWorkload(Body):
    """A gray workload; template is a Kubernetes Deployment and passed through as it is."""

    clusterID: Text
    template: dict[str, Any]


class Spec(Body):
    """What is released."""

    serviceName: Text
    clusterID: Text
    deploymentName: Text
    version: Annotated[str, StringConstraints(strict=True, max_length=64)] | None = None
    type: Literal["canary", "blueGreen"]
    grayDeployments: Annotated[list[GrayWorkload], Field(min_length=1, max_length=20)]


class ReleaseBody(Body):
    """CreateRelease."""

    kind: Literal["Release"] = "Release"
    apiVersion: Literal["asm/v2"] = "asm/v2"
    metadata: Metadata
    spec: Spec


@dataclass(frozen=True)
class Wanted:
    """A release to be made. spec: as it will be stored. version: of the microservice, which is the tag of its gray image."""

    name: str
    spec: dict[str, Any]
    version: str


def creation(body: dict[str, Any], *, mesh: str, namespace: str) -> Wanted:
    """Read and check a CreateRelease. Raises Invalid with a sentence that names the member."""
    sent = read(ReleaseBody, body)
    for word, given, here in (("meshID", sent.metadata.meshID, mesh), ("namespace", sent.metadata.namespace, namespace)):
        if given is not None and given != here:
            raise Invalid(f"metadata.{word}: is {given}, but the address says {here}.")
    spec = sent.spec.model_dump(exclude_none=True)
    version = version_of(spec)
    return Wanted(sent.metadata.name, {**spec, "version": sent.spec.version or version}, version)


def version_of(spec: dict[str, Any]) -> str:
    """The one version that all gray workloads of a spec run. Raises Invalid."""
    service, deployment = spec["serviceName"], spec["deploymentName"]
    found = {images.of_service(each["template"], service, deployment).tag for each in spec["grayDeployments"]}
    if len(found) > 1:
        raise Invalid(f"spec.grayDeployments: one release has one version, but the images have {', '.join(sorted(found))}.")
    return found.pop()


def update(body: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """The spec after an UpdateRelease: only the tags of images and `version` may differ from what is stored.

    body: a whole Release or parts of it; stored: the whole Release as clients read it. `status` is ignored, so that a
    client may send back what it has read. Raises Invalid, naming the first member that may not change.
    """
    sent = {key: value for key, value in body.items() if key in {"kind", "apiVersion", "metadata", "spec"}}
    if isinstance(sent.get("metadata"), dict):
        sent["metadata"] = {key: value for key, value in sent["metadata"].items() if key in stored["metadata"]}
    for where, given, here in _differences(sent, stored, ()):
        if where == ("spec", "version") and isinstance(given, str) and len(given) <= 64:
            continue
        if _is_image(where) and isinstance(given, str) and isinstance(here, str):
            if images.parse(given).name == images.parse(here).name:
                continue
            raise Invalid(f"{'.'.join(where)}: the name of the image is fixed; only its tag may change.")
        raise Invalid(f"{'.'.join(where) or 'The body'}: only the tags of images and spec.version may change.")
    spec = dict(stored["spec"])
    change = sent.get("spec") or {}
    if "grayDeployments" in change:
        pairs = zip(spec["grayDeployments"], change["grayDeployments"], strict=True)
        spec["grayDeployments"] = [_merged(old, new) for old, new in pairs]
    label = change.get("version", stored["spec"]["version"])
    if label == stored["spec"]["version"] == version_of(stored["spec"]):
        label = version_of(spec)  # a label that was the tag stays the tag
    return {**spec, "version": label}


_IMAGE = re.compile(r"spec\.grayDeployments\.\d+\.template\.spec\.template\.spec\.(?:initC|c)ontainers\.\d+\.image")


def _is_image(where: tuple[str, ...]) -> bool:
    return bool(_IMAGE.fullmatch(".".join(where)))


def _differences(sent: Any, stored: Any, where: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """(path, sent, stored) of each member that was sent and differs from the stored one."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        for key, value in sent.items():
            if key in stored:
                yield from _differences(value, stored[key], (*where, str(key)))
            else:
                yield (*where, str(key)), value, None
    elif isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        for place, (value, old) in enumerate(zip(sent, stored, strict=True)):
            yield from _differences(value, old, (*where, str(place)))
    elif type(sent) is not type(stored) or sent != stored:
        yield where, sent, stored


def _merged(stored: Any, sent: Any) -> Any:
    if isinstance(stored, dict) and isinstance(sent, dict):
        return {key: _merged(value, sent[key]) if key in sent else value for key, value in stored.items()}
    if isinstance(stored, list) and isinstance(sent, list):
        return [_merged(old, new) for old, new in zip(stored, sent, strict=True)]
    return sent
