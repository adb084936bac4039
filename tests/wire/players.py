"""Short ways to speak to job queues and scripts with the official client."""

from __future__ import annotations

import itertools
import json

from gs2 import auth, job_queue, script

from tests.official import signed_in

_NUMBERS = itertools.count(1)


def session_of(server, who: str = "ours"):
    """A signed-in session of the official client."""
    credential = server.credentials[who]
    return signed_in(server.url, credential["clientId"], credential["clientSecret"])


class Players:
    """One project's clients, and names that no other test uses."""

    def __init__(self, server, who: str = "ours") -> None:
        self.server = server
        self.session = session_of(server, who)
        self.jobs = job_queue.Gs2JobQueueRestClient(self.session)
        self.scripts = script.Gs2ScriptRestClient(self.session)
        self._tokens: dict[str, str] = {}

    def name(self, front: str) -> str:
        """A new name."""
        return f"{front}-{next(_NUMBERS)}"

    def namespace(self, **settings) -> str:
        """A new namespace of queues."""
        request = job_queue.CreateNamespaceRequest().with_name(self.name("queue"))
        for key, value in settings.items():
            getattr(request, f"with_{key}")(value)
        return self.jobs.create_namespace(request).item.name

    def script(self, source: str) -> str:
        """A new script in the namespace `default`; returns its name."""
        request = (
            script.CreateScriptRequest()
            .with_namespace_name("default")
            .with_name(self.name("script"))
            .with_script(source)
        )
        return self.scripts.create_script(request).item.name

    def push(self, namespace: str, *entries, user: str = "user-0001", avoider: str | None = None):
        """Push (script, args[, tries]) entries."""
        jobs = [
            job_queue.JobEntry().with_script_id(name).with_args(json.dumps(args)).with_max_try_count(*(tries or (3,)))
            for name, args, *tries in entries
        ]
        request = job_queue.PushByUserIdRequest().with_namespace_name(namespace).with_user_id(user).with_jobs(jobs)
        return self.jobs.push_by_user_id(request.with_duplication_avoider(avoider))

    def run(self, namespace: str, user: str = "user-0001", avoider: str | None = None):
        """Run the user's next job."""
        request = job_queue.RunByUserIdRequest().with_namespace_name(namespace).with_user_id(user)
        return self.jobs.run_by_user_id(request.with_duplication_avoider(avoider))

    def waiting(self, namespace: str, user: str = "user-0001") -> list:
        """All waiting jobs."""
        request = (
            job_queue.DescribeJobsByUserIdRequest().with_namespace_name(namespace).with_user_id(user).with_limit(1000)
        )
        return self.jobs.describe_jobs_by_user_id(request).items

    def token(self, user: str = "user-0001") -> str:
        """An access token."""
        if user not in self._tokens:
            client = auth.Gs2AuthRestClient(self.session)
            self._tokens[user] = client.login(auth.LoginRequest().with_user_id(user)).token
        return self._tokens[user]
