"""A store in a bucket of S3 or of a server with the same API. Needs requirements/s3.txt."""
from __future__ import annotations

import mimetypes
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
)
from storages.backends.s3 import S3Storage

from .text import clean_line, shortened

_NO_KEYS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound)
_WRONG_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired"}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz", "br": "application/octet-stream"}
# An endpoint that is away is known after half a minute, one that hangs after a minute and a half; the step ticks meanwhile.
_PATIENCE = {"connect_timeout": 5, "read_timeout": 30, "retries": {"mode": "standard", "total_max_attempts": 3}}
# django-storages would keep a whole download in memory.
_IN_MEMORY = 16 * 1024 * 1024


class Bucket(S3Storage):
    """django-storages' bucket, for steps: with time limits, with sentences for errors, and without content encodings."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # A step's calls have a thread each, one after the other (awake); a client for each would cost more than the call.
        self._connections = SimpleNamespace()

    def get_default_settings(self) -> dict[str, Any]:
        """Keys, region and endpoint are found where the AWS libraries find them."""
        found = super().get_default_settings()
        return found | {"client_config": Config(**_PATIENCE), "max_memory_size": _IN_MEMORY}

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        """The content type, and no content encoding: with one, clients would unpack a game.tar.gz while they load it."""
        kind, packed = mimetypes.guess_type(name)
        kind = _PACKED.get(packed, "application/octet-stream") if packed else kind
        return {"ContentType": kind or "application/octet-stream"} | super().get_object_parameters(name)

    def exists(self, name: str) -> bool:
        """Whether the object is there. Raises ClientError with a code that says why not, where S3 refuses.

        The answer to HEAD has no body: a missing key looks like a missing bucket, a wrong key like a missing right. So a HEAD
        that is refused is followed by a GET.
        """
        key, client = self._normalize_name(name), self.connection.meta.client
        try:
            client.head_object(Bucket=self.bucket_name, Key=key)
            return True
        except ClientError as refusal:
            if _status(refusal) not in (301, 400, 403, 404):
                raise
        try:
            client.get_object(Bucket=self.bucket_name, Key=key)["Body"].close()
            return True
        except ClientError as refusal:
            if _status(refusal) == 404 and _code(refusal) != "NoSuchBucket":
                return False
            raise

    def explain(self, problem: Exception) -> str:
        """Why it could not be used; follows its name in a sentence. Without the library's message, which may hold a key."""
        if isinstance(problem, _NO_KEYS):
            return "cannot be used: the AWS libraries find no keys in this server's environment"
        if isinstance(problem, ClientError):
            return self._refused(problem)
        if isinstance(problem, (ConnectionError, HTTPClientError)):
            how = "there is no TLS connection" if isinstance(problem, SSLError) else type(problem).__name__
            return f"does not answer at {self._host()}: {how}"
        if isinstance(problem, (BotoCoreError, Boto3Error, ValueError)):
            return f"cannot be used as it is set up: {type(problem).__name__}"
        return f"could not be used: {type(problem).__name__}"

    def _refused(self, problem: ClientError) -> str:
        code = _code(problem)
        if code == "NoSuchBucket":
            return f"has no bucket {self.bucket_name}: make it, or correct GS2ADMIN_STORAGES"
        if code in _WRONG_KEYS:
            return f"does not take this server's keys ({code}): correct them in its environment"
        if code in _ELSEWHERE:
            return f"has its bucket {self.bucket_name} in another region ({code}): set AWS_DEFAULT_REGION"
        if _status(problem) == 403:
            return (
                f"does not let this server's keys do {problem.operation_name} in {self.bucket_name} ({code}). They need the"
                " rights to get, put, delete and list; without the last, S3 says so of a file that is not there, too"
            )
        return f"refused {problem.operation_name} with {_status(problem)} ({code})"

    def _host(self) -> str:
        try:
            found = urlsplit(self.connection.meta.client.meta.endpoint_url)
            return f"{found.hostname}:{found.port}" if found.port else str(found.hostname)
        except Exception:  # noqa: BLE001  it only helps to say where
            return "its endpoint"


def _status(refusal: ClientError) -> int:
    return refusal.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _code(refusal: ClientError) -> str:
    return shortened(clean_line(str(refusal.response.get("Error", {}).get("Code") or "no code")), 80)
