"""Parses and checks the URLs that a step may call."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

LONGEST = 2000
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]{2,45}\]")


@dataclass(frozen=True)
class Url:
    """A checked http or https URL. ``host`` has no brackets; ``target`` is path and query."""

    text: str
    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port; a Location must have the same."""
        return self.scheme, self.host, self.port

    @property
    def host_header(self) -> str:
        """For the Host header, with the port when it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """For people: without the query, which may hold a token."""
        return f"{self.scheme}://{self.host_header}{self.target.partition('?')[0]}"


def parse(text: str) -> Url:
    """Raises ValueError with a sentence when this is no URL that a step may call."""
    if len(text) > LONGEST:
        raise ValueError(f"The URL is too long: at most {LONGEST} characters.")
    if not re.fullmatch(r"[!-~]+", text) or "\\" in text:
        raise ValueError(
            "The URL may hold only printable ASCII characters without spaces and backslashes;"
            " write others percent-encoded, and a host name in its xn-- form."
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("This is no URL: check its host and port.") from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise ValueError("The URL must begin with https:// or http://.")
    if "@" in parts.netloc:
        raise ValueError("The URL must not hold a user name or password; the signature tells who is calling.")
    if "#" in text:
        raise ValueError("The URL must not hold a fragment (#…): it is never sent.")
    host = parts.netloc if parts.netloc.endswith("]") else parts.netloc.rpartition(":")[0] or parts.netloc
    if not _HOST.fullmatch(host) or port == 0:
        raise ValueError("This is no URL: check its host and port.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(text, scheme, host.strip("[]").lower(), port or _PORTS[scheme], target)


def follow(base: Url, location: str) -> Url:
    """A Location, which may be relative; raises ValueError with a sentence unless it has the same origin."""
    found = parse(urljoin(base.text, location))
    if found.origin != base.origin:
        raise ValueError(f"It must stay on {base.scheme}://{base.host_header}, but leads to {found.shown}.")
    return found
