"""Reads settings from the environment and collects every mistake, one sentence each.

Considered django-environ and pydantic-settings: both report the first mistake as a traceback or in their own
words, and the parsing that we need is a few lines.
"""
from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
ORIGIN = re.compile(r"(?P<scheme>https?)://(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[1-9][0-9]{0,4}))?")
# Each request of a browser is compared with all of them.
MOST_ORIGINS = 100


def network_of(text: str) -> Network:
    """The network that an address or a network in text means; ::ffff:192.0.2.0/120 is 192.0.2.0/24.

    Raises ValueError, also for a network of everybody.
    """
    network = ipaddress.ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        network = ipaddress.ip_network((mapped, network.prefixlen - 96), strict=False)
    if network.prefixlen == 0:
        raise ValueError("a network of everybody")
    return network


class SettingsError(Exception):
    """The environment holds values that cannot be used; the text has one sentence per mistake."""


class Env:
    """Typed reads of environment variables. An empty value counts as unset."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = os.environ if values is None else values
        self.mistakes: list[str] = []

    def refuse(self, sentence: str) -> None:
        """Note a mistake; `check` raises them all together."""
        self.mistakes.append(sentence)

    def check(self) -> None:
        """Raise SettingsError when anything was refused."""
        if self.mistakes:
            raise SettingsError(
                "gs2admin cannot start, because its environment has mistakes:\n"
                + "\n".join(f"- {sentence}" for sentence in self.mistakes)
            )

    def text(self, name: str, default: str = "") -> str:
        """The value without surrounding white space, or the default."""
        return self.values.get(name, "").strip() or default

    def flag(self, name: str, default: bool) -> bool:
        """A yes/no value: 1, true, yes, on or 0, false, no, off."""
        value = self.text(name).lower()
        if not value:
            return default
        if value not in TRUE | FALSE:
            self.refuse(f"{name} is {value!r}; it takes 1 (on) or 0 (off).")
            return default
        return value in TRUE

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from low to high."""
        value = self.text(name)
        if not value:
            return default
        if not re.fullmatch(r"-?\d{1,12}", value) or not low <= int(value) <= high:
            self.refuse(f"{name} is {value!r}; it takes a whole number from {low} to {high}.")
            return default
        return int(value)

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of the allowed words."""
        value = self.text(name, default)
        if value not in allowed:
            self.refuse(f"{name} is {value!r}; it takes one of: {', '.join(allowed)}.")
            return default
        return value

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """A list separated by commas."""
        return [word.strip() for word in self.text(name, ",".join(default)).split(",") if word.strip()]

    def commands(self, name: str) -> dict[str, str]:
        """`name=/absolute/path` pairs separated by commas: the executables that a rollout step may run."""
        found: dict[str, str] = {}
        for pair in self.words(name):
            key, _, path = (part.strip() for part in pair.partition("="))
            if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", key) or not path.startswith("/"):
                self.refuse(f"{name} has {pair!r}; each entry is name=/absolute/path/of/an/executable.")
            else:
                found[key] = path
        return found

    def stores(self, name: str) -> dict[str, dict[str, object]]:
        """`name=/absolute/directory` or `name=s3://bucket/prefix` pairs separated by commas, as Django's STORAGES has them.

        Access to S3 (keys, region, endpoint) is what the AWS libraries find in the environment.
        """
        found: dict[str, dict[str, object]] = {}
        for pair in self.words(name):
            key, _, where = (part.strip() for part in pair.partition("="))
            bucket = re.fullmatch(r"s3://([a-z0-9.-]{3,63})/?(.*)", where)
            if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", key) or not (bucket or where.startswith("/")):
                self.refuse(f"{name} has {pair!r}; each entry is name=/absolute/directory or name=s3://bucket/prefix.")
            elif bucket:
                options = {"bucket_name": bucket[1], "location": bucket[2].strip("/"), "file_overwrite": True}
                found[key] = {"BACKEND": "stages.steps.s3.Bucket", "OPTIONS": options}
            else:
                found[key] = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": where}}
        return found

    def hosts_or_networks(self, name: str) -> list[str]:
        """Host names, addresses or networks (10.0.0.0/8) separated by commas."""
        found = []
        for word in self.words(name):
            try:
                ipaddress.ip_network(word, strict=False)
            except ValueError:
                if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", word):
                    self.refuse(f"{name} has {word!r}; each entry is a host name, an address or a network.")
                    continue
            found.append(word.lower())
        return found

    def origins(self, name: str) -> list[str]:
        """Origins of web pages separated by commas, each as a browser writes it: https://game.example, http://localhost:3000."""
        found = self.words(name)
        if len(found) > MOST_ORIGINS:
            self.refuse(f"{name} names {len(found)} origins; it takes at most {MOST_ORIGINS}.")
        for word in found:
            parts = ORIGIN.fullmatch(word)
            if parts is None or parts["port"] == {"https": "443", "http": "80"}[parts["scheme"]]:
                self.refuse(
                    f"{name} has {word!r}; each entry is an origin as a browser writes it: https://game.example, in lower case,"
                    " a port only where it is not the usual one, no slash behind it, no *."
                )
        return found

    def networks(self, name: str, default: tuple[str, ...]) -> list[Network]:
        """Addresses and networks separated by commas; everybody (*, 0.0.0.0/0) is refused. The word none alone is none."""
        found = []
        given = self.words(name, default)
        for word in [] if given == ["none"] else given:
            try:
                found.append(network_of(word))
            except ValueError:
                self.refuse(f"{name} has {word!r}; each entry is an address or a network, such as 10.0.0.0/8; none is none.")
        return found

    def directory(self, name: str, default: Path) -> Path:
        """A directory that is made when it is missing and must be writable."""
        path = Path(self.text(name, str(default))).expanduser().resolve()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            writable = os.access(path, os.W_OK)
        except OSError:
            writable = False
        if not writable:
            self.refuse(f"{name} is {str(path)!r}, which cannot be made or written; name a writable directory.")
        return path

    def old_keys(self, name: str) -> list[str]:
        """Earlier secret keys, separated by commas."""
        found = self.words(name)
        if any(len(key) < 50 or len(set(key)) < 5 for key in found):
            self.refuse(f"{name} has a key that is too short; each, separated by commas, has at least 50 characters.")
        return found

    def secret_key(self, name: str, keep_in: Path) -> str:
        """The secret key: from the environment, else made once and kept in a file that only the owner reads."""
        value = self.text(name)
        if value:
            if len(value) < 50 or len(set(value)) < 5:
                self.refuse(f"{name} is too short to be safe; it takes at least 50 random characters.")
            return value
        path = keep_in / "secret_key"
        try:
            # Made under another name and linked, so that two first starts at once agree on one key.
            made = keep_in / f".secret_key.{secrets.token_hex(8)}"
            if not path.exists():
                descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(secrets.token_urlsafe(64))
                try:
                    os.link(made, path)
                except FileExistsError:
                    pass
                finally:
                    made.unlink()
            return path.read_text().strip()
        except OSError as problem:
            self.refuse(f"{name} is not set, and {path} cannot be made or read ({problem.strerror}).")
            return "unusable"
