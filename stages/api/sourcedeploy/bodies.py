"""Request bodies of stages and scenarios: what may be sent, with its limits. Unknown members are dropped.

Ranges are those of the vendor's own clients (contract: sourcedeploy, section 5).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints
from pydantic.alias_generators import to_camel

Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
Filled = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=2000, pattern=r"\S")]
Short = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64)]
Number = Annotated[StrictInt, Field(ge=1, le=2**53 - 1)]


class Body(BaseModel):
    """Base: camelCase on the wire, unknown members dropped."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, validate_by_alias=True, validate_by_name=False)


class ServerStage(Body):
    """Numbers of servers, as serverList has them."""

    server_no: Annotated[list[Number], Field(max_length=20)]


class AutoScalingStage(Body):
    """The number of a group."""

    auto_scaling_group_no: Number


class KubernetesStage(Body):
    """A cluster by number or by uuid."""

    cluster_no: Number | None = None
    cluster_uuid: Filled | None = None


class ObjectStorageStage(Body):
    """The name of a bucket."""

    bucket_name: Filled


STAGES: dict[str, type[Body]] = {
    "Server": ServerStage,
    "AutoScalingGroup": AutoScalingStage,
    "KubernetesService": KubernetesStage,
    "ObjectStorage": ObjectStorageStage,
}


class StageBody(Body):
    """stageCreate. config: by type."""

    name: Name
    type: Literal["Server", "AutoScalingGroup", "KubernetesService", "ObjectStorage"]
    config: dict[str, Any]


class StageChange(Body):
    """stageUpdate: what is absent stays. The type of a stage does not change."""

    name: Name | None = None
    type: str | None = None
    config: dict[str, Any] | None = None


class ObjectFile(Body):
    """Where a file lies in object storage."""

    bucket: Filled
    object: Filled


class BuildFile(Body):
    """A project of SourceBuild."""

    id: Number


class File(BaseModel):
    """What is deployed. The keys of the two kinds are capitalised, as published."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["ObjectStorage", "SourceBuild", "later"]
    ObjectStorage: ObjectFile | None = None
    SourceBuild: BuildFile | None = None


class Command(Body):
    """A command and who runs it."""

    user: Filled
    cmd: Filled


class Placing(Body):
    """From where to where files go."""

    source_path: Filled
    deploy_path: Filled


class Commands(Body):
    """Commands before and after, files in between."""

    pre: Annotated[list[Command], Field(max_length=20)] = []
    deploy: Annotated[list[Placing], Field(max_length=20)] = []
    post: Annotated[list[Command], Field(max_length=20)] = []


class LoadBalancer(Body):
    """For blue/green in an auto scaling group."""

    load_balancer_target_group_no: Number
    delete_server: StrictBool


class Manifest(Body):
    """Manifests in a repository."""

    type: Literal["SourceCommit"]
    repository: Filled
    branch: Filled
    path: Annotated[list[Filled], Field(min_length=1, max_length=50)]


class CanaryEnv(Body):
    """What `${env}` in a query stands for, once for each side."""

    baseline: Short
    canary: Short


class CanaryMetric(Body):
    """A metric: `default` is metric and filter, `promQL` a whole query. successCriteria: the side that has to be higher."""

    name: Short
    success_criteria: Literal["base", "canary"]
    query_type: Literal["default", "promQL"]
    metric: Filled | None = None
    filter: Filled | None = None
    query: Filled | None = None
    weight: Annotated[StrictInt, Field(ge=1, le=100)] = 1


class AnalysisConfig(Body):
    """duration, delay and interval in minutes, step in seconds."""

    duration: Annotated[StrictInt, Field(ge=10, le=360)]
    delay: Annotated[StrictInt, Field(ge=0, le=60)]
    interval: Annotated[StrictInt, Field(ge=1, le=360)]
    step: Annotated[StrictInt, Field(ge=10, le=360)]


class CanaryConfig(Body):
    """A canary: `manual` needs timeout (minutes), `auto` needs all of the rest."""

    analysis_type: Literal["manual", "auto"]
    canary_count: Annotated[StrictInt, Field(ge=1, le=10)]
    timeout: Annotated[StrictInt, Field(ge=1, le=360)] | None = None
    prometheus: Filled | None = None
    env: CanaryEnv | None = None
    metrics: Annotated[list[CanaryMetric], Field(min_length=1, max_length=20)] | None = None
    analysis_config: AnalysisConfig | None = None
    pass_score: Annotated[StrictInt, Field(ge=1, le=100)] | None = None


class ScenarioConfig(Body):
    """Everything that any type of stage knows; `scenario_config` says what belongs to which."""

    strategy: Literal["normal", "rolling", "blueGreen", "canary"] | None = None
    sequence: StrictBool | None = None
    file: File | None = None
    rollback: StrictBool | None = None
    cmd: Commands | None = None
    load_balancer: LoadBalancer | None = None
    manifest: Manifest | None = None
    path: Annotated[list[Placing], Field(min_length=1, max_length=20)] | None = None
    canary_config: CanaryConfig | None = None


Description = Annotated[str, StringConstraints(strict=True, max_length=500)]


class ScenarioBody(Body):
    """scenarioCreate."""

    name: Name
    description: Description | None = None
    config: dict[str, Any]


class ScenarioChange(Body):
    """scenarioUpdate: no name; what is absent stays."""

    description: Description | None = None
    config: dict[str, Any] | None = None
