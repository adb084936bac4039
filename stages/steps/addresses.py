"""Which addresses a step may call: public ones, and what GS2ADMIN_HTTP_ALLOW names."""

import ipaddress
import socket
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA's special-purpose registries, written out: what `ipaddress` calls private differs between Python releases.
_REFUSED = {
    "unspecified": ["0.0.0.0/8", "::/128"],
    "private": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"],
    "shared": ["100.64.0.0/10"],
    "loopback": ["127.0.0.0/8", "::1/128"],
    "link-local": ["169.254.0.0/16", "fe80::/10"],
    "multicast": ["224.0.0.0/4", "ff00::/8"],
    "reserved": [
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "240.0.0.0/4", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "3fff::/20",
        "5f00::/16",
    ],
}  # fmt: skip
_REFUSED_NETWORKS = [(ipaddress.ip_network(network), word) for word, networks in _REFUSED.items() for network in networks]
# IPv6 addresses that reach an IPv4 address: (prefix, how many bits from the right the IPv4 address begins).
_EMBEDDING = [
    (ipaddress.ip_network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (ipaddress.ip_network("::ffff:0:0:0/96"), 0),  # IPv4-translated (SIIT)
    (ipaddress.ip_network("::/96"), 0),  # IPv4-compatible, withdrawn
    (ipaddress.ip_network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.ip_network("2002::/16"), 80),  # 6to4
]


class AddressRefused(Exception):
    """The address may not be called; ``str()`` is a sentence."""


def embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if address.version == 6 and int(address) > 1:
        for network, shift in _EMBEDDING:
            if address in network:
                return ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return None


def kind_of(address: Address) -> str:
    """ "" for a public address, else the word for why it is not (loopback, private, …)."""
    if inner := embedded(address):
        return kind_of(inner)
    for network, word in _REFUSED_NETWORKS:
        if address.version == network.version and address in network:
            return word
    return ""


def check(host: str, address: str, allow: Iterable[str]) -> None:
    """Raises AddressRefused unless ``address`` is public, or it or ``host`` is in ``allow``."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise AddressRefused(f"{host} leads to {address}, which is no address this step may call.") from None
    word = kind_of(found)
    if not word:
        return
    name = host.lower().rstrip(".")
    same = [found, inner] if (inner := embedded(found)) else [found]
    for entry in allow:
        try:
            network = ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            if entry.lower().rstrip(".") == name:
                return
        else:
            if any(one.version == network.version and one in network for one in same):
                return
    where = host if host == address else f"{host} leads to {address}, which"
    raise AddressRefused(
        f"{where} is a {word} address; the administrator can allow the host or its network in GS2ADMIN_HTTP_ALLOW."
    )


def resolve(host: str, port: int, allow: Iterable[str]) -> list[tuple[int, tuple]]:
    """Every address of ``host`` as (family, socket address), asked once and all checked.

    The caller connects to these and does not ask again: a name that answers differently the next time (DNS rebinding)
    gains nothing. Raises AddressRefused when one of them is refused, OSError when the name is unknown.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    found = list(dict.fromkeys((family, address) for family, _, _, _, address in answers))
    for _, address in found:
        check(host, address[0], allow)
    if not found:
        raise OSError(f"{host} has no address")
    return found
