"""An S3 that speaks the real protocol on loopback (moto's server) and checks keys, signatures and rights as S3 does."""
from __future__ import annotations

import json
import urllib.request
from typing import Any

import boto3
from botocore.config import Config
from moto.core.authorization import enable_iam_authentication
from moto.server import ThreadedMotoServer

REGION = "ap-northeast-1"


class Bucketeer:
    """A running S3 with buckets of these names. ``key`` and ``secret`` may do everything in them."""

    def __init__(self, *buckets: str) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.url = "http://{}:{}".format(*self._server.get_host_and_port())
        self._iam = self._client("iam", "anything", "nobody looks yet")
        self.key, self.secret = self.user("gs2admin", "s3:*")
        self.reader = self.user("reader", "s3:ListBucket", "s3:GetObject")
        self.client = self._client("s3", self.key, self.secret)
        # From now on every request is checked.
        self._checked = enable_iam_authentication()
        self._checked.__enter__()
        for name in buckets:
            self.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def _client(self, service: str, key: str, secret: str) -> Any:
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def user(self, name: str, *actions: str) -> tuple[str, str]:
        """Somebody who may do these; key and secret."""
        self._iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        self._iam.put_user_policy(UserName=name, PolicyName="these", PolicyDocument=json.dumps(policy))
        made = self._iam.create_access_key(UserName=name)["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    def stop(self) -> None:
        """End it, and all that was in it: its rooms belong to the process."""
        self._checked.__exit__(None, None, None)
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST"), timeout=10).close()
        self._server.stop()

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """An object as somebody else would put it."""
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def get(self, bucket: str, key: str) -> bytes | None:
        """What is in an object; None when there is none."""
        try:
            return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None

    def head(self, bucket: str, key: str) -> dict[str, Any]:
        """What an object says of itself."""
        return self.client.head_object(Bucket=bucket, Key=key)

    def keys(self, bucket: str) -> list[str]:
        """All that is in a bucket."""
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def unfinished(self, bucket: str) -> list[str]:
        """Uploads that were begun and neither finished nor given up: they cost money and nobody sees them."""
        return [entry["Key"] for entry in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]

    def empty(self, *buckets: str) -> None:
        """Remove what is in them."""
        for bucket in buckets:
            for key in self.keys(bucket):
                self.client.delete_object(Bucket=bucket, Key=key)
