"""The calls of the Kubernetes API that steps need, by the official client; the step goes on ticking while they hang."""
from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable
from typing import Any

from .base import StepBroken
from .text import clean_line, shortened

TURN_S = 0.1
TIMES_S = (5, 20)  # to connect, to answer


class Refused(Exception):
    """The API server refused or did not answer; str() is a sentence."""


class Cluster:
    """One namespace of one cluster. Objects are plain JSON, as the API has them."""

    def __init__(self, kubeconfig: str, namespace: str, tick: Callable[[], None]) -> None:
        """Raises StepBroken when the client is not installed or the kubeconfig cannot be used."""
        try:
            client = importlib.import_module("kubernetes.client")
            config = importlib.import_module("kubernetes.config")
        except ImportError:
            raise StepBroken("The Kubernetes client is not installed here: requirements/kubernetes.txt has it.") from None
        self._refusals = client.exceptions.ApiException
        try:
            self._api = config.new_client_from_config(config_file=kubeconfig)
        except Exception as problem:  # noqa: BLE001  files, keys and plug-ins, each with errors of its own
            raise StepBroken(f"The kubeconfig can not be used: {shortened(clean_line(str(problem)), 300)}.") from None
        self._apps, self._core = client.AppsV1Api(self._api), client.CoreV1Api(self._api)
        self._namespace, self._tick = namespace, tick

    def deployment(self, name: str) -> dict[str, Any] | None:
        """The Deployment, None when there is none. Raises Refused."""
        return self._call(self._apps.read_namespaced_deployment, name, self._namespace, absent=True)

    def create_deployment(self, body: dict[str, Any]) -> None:
        """Raises Refused."""
        self._call(self._apps.create_namespaced_deployment, self._namespace, body)

    def patch_deployment(self, name: str, body: dict[str, Any]) -> None:
        """A strategic merge patch: lists of containers are merged by their names. Raises Refused."""
        self._call(self._apps.patch_namespaced_deployment, name, self._namespace, body)

    def delete_deployment(self, name: str) -> bool:
        """Delete it; returns whether it was there. Raises Refused."""
        body = {"propagationPolicy": "Background"}
        return self._call(self._apps.delete_namespaced_deployment, name, self._namespace, body=body, absent=True) is not None

    def patch_service(self, name: str, body: dict[str, Any]) -> None:
        """Raises Refused."""
        self._call(self._core.patch_namespaced_service, name, self._namespace, body)

    def _call(self, function: Callable[..., Any], *arguments: Any, absent: bool = False, **more: Any) -> Any:
        """The answer as JSON. absent: None instead of Refused when there is no such object."""
        box: list[Any] = []

        def work() -> None:
            try:
                response = function(*arguments, _preload_content=False, _request_timeout=TIMES_S, **more)
                box.append(json.loads(response.data))
            except Exception as problem:  # noqa: BLE001  handed to the thread that waits
                box.append(problem)

        thread = threading.Thread(target=work, name="step-kubernetes", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(TURN_S)
            self._tick()
        answer = box[0]
        if not isinstance(answer, Exception):
            return answer
        if isinstance(answer, self._refusals):
            if absent and answer.status == 404:
                return None
            raise Refused(f"Kubernetes answered {answer.status}: {_message(answer)}")
        raise Refused(f"Kubernetes did not answer: {shortened(clean_line(str(answer)), 300)}")


def _message(refusal: Any) -> str:
    """The message of the Status object that comes with a refusal, else its reason."""
    try:
        return shortened(clean_line(json.loads(refusal.body)["message"]), 500)
    except (ValueError, KeyError, TypeError):
        return clean_line(str(refusal.reason or "no reason was given"))
