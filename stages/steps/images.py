"""Names of container images: `registry:5000/team/auth:1.2.0@sha256:…`. Pure."""
from __future__ import annotations

import re
from dataclasses import dataclass

# A tag as registries take it (OCI distribution specification).
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Image:
    """name: with its registry. tag, digest: empty when none is given; the digest begins with its algorithm."""

    name: str
    tag: str = ""
    digest: str = ""


def parse(text: str) -> Image:
    """Split an image's name. A colon within the registry is its port's, so only one behind the last slash begins a tag."""
    whole, _, digest = text.partition("@")
    head, slash, last = whole.rpartition("/")
    name, _, tag = last.partition(":")
    return Image(head + slash + name, tag, digest)


def is_tag(text: str) -> bool:
    """Whether a registry takes this as a tag."""
    return _TAG.fullmatch(text) is not None


def tagged(image: str, tag: str) -> str:
    """The same repository with this tag; a digest is left out, because it would go on to choose the old content."""
    return f"{parse(image).name}:{tag}"


def carries(image: str, tag: str) -> bool:
    """Whether the image may be the one of that tag ("" is latest): by its tag, or by a digest alone, which tells nothing."""
    found = parse(image)
    if not found.tag and found.digest:
        return True
    return (found.tag or "latest") == (tag or "latest")
