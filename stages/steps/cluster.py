"""The calls of the Kubernetes API that steps need, by the official client; the step ticks meanwhile and keeps its limit."""
from __future__ import annotations

import importlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from .awake import Limit, awake
from .base import NOTE, StepBroken, StepContext, StepFailed
from .text import clean_line, shortened

TIMES_S = (5, 20)  # to connect, to answer
# Answers that say nothing about the request: asked again for so long, with growing pauses. s.
PATIENCE_S = 30.0
PAUSES_S = (0.5, 1.0, 2.0, 4.0)
PASSING = frozenset({429, 500, 502, 503, 504})
TURN_S = 0.1
# Pods of one Deployment that are looked at.
MOST_PODS = 200


class Refused(Exception):
    """The API server refused or did not answer; str() is a sentence. status: of HTTP, 0 where there was no answer."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class Cluster:
    """One namespace of one cluster, for one step. Objects are plain JSON, as the API has them; every call may raise Refused.

    A call that the server could not serve (busy, restarting, not reached) is made again: each names the wanted state.
    """

    def __init__(self, name: str, kubeconfig: str, namespace: str, ctx: StepContext, limit: Limit) -> None:
        """Raises StepBroken when the client is not installed or the kubeconfig cannot be used, StepFailed at the limit."""
        self._name, self._namespace, self._ctx, self._limit = name, namespace, ctx, limit
        library = self._awake(imported, before="the Kubernetes client was imported")
        self._refusals = library.refusals
        self._told = False

        def connect() -> Any:
            settings = type.__call__(library.configuration)
            with _errors_of_this_thread() as errors:
                library.load(config_file=kubeconfig, client_configuration=settings)
            # The client only logs that a plug-in failed, and would go on without a credential.
            if errors and not settings.api_key and not settings.cert_file:
                raise StepBroken(_unusable(name, errors[-1]))
            settings.retries = False  # we ask again ourselves, within the limit
            return library.client(configuration=settings)

        try:
            self._api = self._awake(connect, before=f"the kubeconfig {name} was read")
        except (StepBroken, StepFailed):
            raise
        except Exception as problem:  # noqa: BLE001  files, keys and plug-ins, each with errors of its own
            raise StepBroken(_unusable(name, str(problem))) from None
        self._apps, self._core = library.apps(self._api), library.core(self._api)

    def deployment(self, name: str) -> dict[str, Any] | None:
        """The Deployment, None when there is none."""
        return self._call(f"GET deployments/{name}", self._apps.read_namespaced_deployment, name, self._namespace, absent=True)

    def create_deployment(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Returns it as it is stored."""
        return self._call(f"POST deployments/{name}", self._apps.create_namespaced_deployment, self._namespace, body)

    def patch_deployment(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """A strategic merge patch: lists of containers are merged by their names. Returns it as it is stored."""
        return self._call(f"PATCH deployments/{name}", self._apps.patch_namespaced_deployment, name, self._namespace, body)

    def delete_deployment(self, name: str, uid: str) -> bool:
        """Delete exactly the Deployment that was seen, its pods first; returns whether it was there.

        It is there until its last pod has ended (propagation Foreground).
        """
        body = {"propagationPolicy": "Foreground", **({"preconditions": {"uid": uid}} if uid else {})}
        found = self._call(
            f"DELETE deployments/{name}", self._apps.delete_namespaced_deployment, name, self._namespace, body=body, absent=True
        )
        return found is not None

    def service(self, name: str) -> dict[str, Any] | None:
        """The Service, None when there is none."""
        return self._call(f"GET services/{name}", self._core.read_namespaced_service, name, self._namespace, absent=True)

    def patch_service(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Returns it as it is stored."""
        return self._call(f"PATCH services/{name}", self._core.patch_namespaced_service, name, self._namespace, body)

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """At most MOST_PODS pods with these labels, such as "app=lottery,colour!=blue"."""
        found = self._call(
            "GET pods", self._core.list_namespaced_pod, self._namespace, label_selector=selector, limit=MOST_PODS
        )
        return list(found.get("items") or [])

    def pause(self, seconds: float) -> None:
        """Tick for so long, at most until the step's limit is over."""
        until = min(time.monotonic() + seconds, self._limit.until)
        while (left := until - time.monotonic()) > 0:
            self._ctx.tick()
            time.sleep(min(TURN_S, left))

    def _awake(self, call: Callable[[], Any], *, before: str) -> Any:
        return awake(self._ctx, call, limit=self._limit, before=before)

    def _call(self, what: str, function: Callable[..., Any], *arguments: Any, absent: bool = False, **more: Any) -> Any:
        """The answer as JSON. absent: None instead of Refused when there is no such object."""
        began, tries = time.monotonic(), 0
        while True:
            try:
                return self._once(what, function, *arguments, absent=absent, **more)
            except Refused as no:
                if no.status and no.status not in PASSING:
                    raise
                pause = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
                if time.monotonic() + pause > min(began + PATIENCE_S, self._limit.until):
                    raise
                if not self._told:
                    self._ctx.emit(f"{no} It is asked again.", NOTE)
                    self._told = True
            tries += 1
            self.pause(pause)

    def _once(self, what: str, function: Callable[..., Any], *arguments: Any, absent: bool, **more: Any) -> Any:
        def request() -> Any:
            try:
                response = function(*arguments, _preload_content=False, _request_timeout=TIMES_S, **more)
                return json.loads(response.data)
            except self._refusals as refusal:
                if absent and refusal.status == 404:
                    return None
                raise Refused(f"Kubernetes answered {what} with {refusal.status}: {_message(refusal)}", refusal.status) from None
            except Exception as problem:  # noqa: BLE001  sockets, TLS and the client have errors of their own
                raise Refused(f"Kubernetes did not answer {what}: {_sentence(problem)}") from None

        return self._awake(request, before=f"the cluster {self._name} answered {what}")


class Library(NamedTuple):
    """What is used of the official client. Its package imports each of these when it is first asked for, which takes seconds."""

    configuration: Any
    load: Any
    client: Any
    apps: Any
    core: Any
    refusals: Any


def imported() -> Library:
    """All that is used of the client, imported. Raises StepBroken when it is not installed."""
    try:
        client, config = (importlib.import_module(f"kubernetes.{name}") for name in ("client", "config"))
        return Library(
            client.Configuration, config.load_kube_config, client.ApiClient, client.AppsV1Api, client.CoreV1Api,
            client.exceptions.ApiException,
        )
    except ImportError:
        raise StepBroken("The Kubernetes client is not installed here: requirements/kubernetes.txt has it.") from None


@contextmanager
def _errors_of_this_thread() -> Iterator[list[str]]:
    """What is logged as an error in this thread meanwhile."""
    found: list[str] = []
    mine = threading.get_ident()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if threading.get_ident() == mine:  # a record is handled by the thread that makes it; ours name none
                found.append(record.getMessage())

    ear = Ear(logging.ERROR)
    logging.getLogger().addHandler(ear)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(ear)


def _unusable(name: str, why: str) -> str:
    return f"The kubeconfig {name} can not be used: {shortened(clean_line(why), 300).rstrip('.')}."


def _sentence(problem: Exception) -> str:
    return f"{shortened(clean_line(str(problem) or type(problem).__name__), 300).rstrip('.')}."


def _message(refusal: Any) -> str:
    """The message of the Status object that comes with a refusal, else its reason; a sentence."""
    try:
        body: Mapping[str, Any] = json.loads(refusal.body)
        text = str(body["message"])
    except (ValueError, KeyError, TypeError):
        text = str(refusal.reason or "no reason was given")
    return f"{shortened(clean_line(text), 500).rstrip('.')}."
