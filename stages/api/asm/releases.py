"""The calls: read, list, create, update, end or cancel a release, and set its weight (our extension)."""

from __future__ import annotations

from gs2admin.errors import Invalid, NotFound
from gs2admin.identity.models import Project
from gs2admin.text import shortened
from gs2admin.wire.protocol import Reply, Request
from stages.api.asm import bodies, reads, shapes
from stages.api.asm.services import create_release, update_release
from stages.api.find import viewing
from stages.canary.services import accept_canary, reject_canary, set_weight
from stages.models import Rollout
from stages.states import FINAL

# The values of DELETE's `action`; the published pages name none.
ACTIONS = {"cancel": reject_canary, "finish": accept_canary, "end": accept_canary}


def mesh_of(request: Request) -> Project:
    """The caller's project, which is the mesh. Raises NotFound for any other."""
    if request.pieces["mesh_id"] != request.project.name:
        raise NotFound(f"There is no mesh {shortened(request.pieces['mesh_id'], 128)}.")
    return request.project


def _found(request: Request) -> tuple[Project, Rollout]:
    mesh = mesh_of(request)
    row = reads.find(mesh, request.pieces["namespace"], request.pieces["release_id"])
    if row is None:
        name, namespace = shortened(request.pieces["release_id"], 200), shortened(request.pieces["namespace"], 128)
        raise NotFound(f"There is no release {name} in {namespace}.")
    return mesh, row


def _live(request: Request) -> tuple[Project, Rollout]:
    """A release that can still be acted on. Raises NotFound after its end, Invalid for one that was not made here."""
    mesh, row = _found(request)
    if row.state in FINAL:
        raise NotFound(f"Release {request.pieces['release_id']} has ended; there is no task to act on.")
    if not hasattr(row, "release"):
        raise Invalid(f"Rollout {row.number} was not made as a release; accept or reject its canary where it was started.")
    return mesh, row


def _reply(mesh: Project, request: Request, row: Rollout, status: int = 200) -> Reply:
    uid = request.pieces.get("release_id")
    return Reply(next(reads.as_releases(mesh, row, uid)), status)


@viewing
def get_release(request: Request) -> Reply:
    """Raises NotFound."""
    mesh, row = _found(request)
    return _reply(mesh, request, row)


@viewing
def list_releases(request: Request) -> Reply:
    """All releases of the mesh, newest first, at most LISTED rollouts; those that ended stay. Raises NotFound."""
    mesh = mesh_of(request)
    items = [item for row in reads.releases(mesh)[: reads.LISTED] for item in reads.as_releases(mesh, row)]
    return Reply(shapes.release_list(items))


def create(request: Request) -> Reply:
    """201 with the Release. Raises Invalid, NotFound (namespace, service), Denied, Conflict (name taken, task running)."""
    mesh, namespace = mesh_of(request), request.pieces["namespace"]
    wanted = bodies.creation(request.body, mesh=mesh.name, namespace=namespace)
    row = create_release(
        actor=request.actor, project=mesh, namespace=namespace, name=wanted.name, spec=wanted.spec, version=wanted.version
    )
    return _reply(mesh, request, reads.releases(mesh).get(pk=row.pk), 201)


def update(request: Request) -> Reply:
    """Only tags of images change. Raises NotFound, Invalid, Denied, Conflict."""
    mesh, row = _live(request)
    stored = next(reads.as_releases(mesh, row))
    spec = bodies.update(request.body, stored)
    update_release(actor=request.actor, rollout=row, spec=spec, version=bodies.version_of(spec))
    return Reply(None)


def end(request: Request) -> Reply:
    """cancel, when the original has all the traffic; finish (or end), when the gray version has it.

    Raises NotFound, Invalid, Denied, Conflict.
    """
    action = request.query.get("action", "")
    if action not in ACTIONS:
        raise Invalid("action: say cancel or finish.")
    _, row = _live(request)
    ACTIONS[action](actor=request.actor, rollout=row)
    return Reply(None)


def traffic(request: Request) -> Reply:
    """Our extension: {"grayWeight": 0..100}; the original has the rest. Raises NotFound, Invalid, Denied, Conflict."""
    mesh, row = _live(request)
    if "grayWeight" not in request.body:
        raise Invalid("grayWeight: is missing; say a whole number from 0 to 100.")
    set_weight(actor=request.actor, rollout=row, weight=request.body["grayWeight"])
    return Reply({"grayWeight": request.body["grayWeight"], "originalWeight": 100 - request.body["grayWeight"]})
