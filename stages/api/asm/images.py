"""The image of a service in a Deployment that a client sends. Pure."""

from __future__ import annotations

import re
from typing import Any

from gs2admin.errors import Invalid
from gs2admin.text import shortened
from stages.steps.images import Image, parse

# A tag as registries take it; our versions hold at most 32 characters.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,31}")


def of_service(template: dict[str, Any], service: str, deployment: str) -> Image:
    """The image of the service in a Deployment: of the container called like it, else of the first.

    Raises Invalid when there is none, or when its tag cannot be a version.
    """
    found = template
    for key in ("spec", "template", "spec"):
        found = found.get(key) if isinstance(found, dict) else None
    containers = found.get("containers") if isinstance(found, dict) else None
    named = [each for each in containers if isinstance(each, dict)] if isinstance(containers, list) else []
    chosen = next((each for each in named if each.get("name") in (service, deployment)), named[0] if named else {})
    image = chosen.get("image")
    if not isinstance(image, str) or not image:
        raise Invalid("spec.grayDeployments: the template needs spec.template.spec.containers with an image.")
    parsed = parse(image)
    if not _TAG.fullmatch(parsed.tag):
        raise Invalid(
            f"spec.grayDeployments: the image {shortened(image, 200)} needs a tag of at most 32 characters; it is the version."
        )
    return parsed
