"""What the answers look like, for the OpenAPI page; tests hold the answers against it."""

from __future__ import annotations

from typing import Any

from stages.api.sourcedeploy.shapes import STATUS

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
TRUE = {"const": True}


def obj(optional: tuple[str, ...] = (), **members: Any) -> dict[str, Any]:
    """An object with exactly these members."""
    return {
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


def array(items: dict[str, Any]) -> dict[str, Any]:
    """A list."""
    return {"type": "array", "items": items}


def listed(name: str) -> dict[str, Any]:
    """A list of {id, name} under `name`, with what it belongs to."""
    above = {"projectList": (), "stageList": ("project",), "scenarioList": ("project", "stage")}[name]
    return obj(**dict.fromkeys(above, NAMED), **{name: array(NAMED)})


NAMED = obj(id=NUMBER, name=TEXT)
STARTED = obj(historyId=NUMBER)
_PHASES = ("pre", "deploy", "post")
_STEP = {"enum": ["success", "fail", "inprogress"]}
_TYPE = {"enum": ["Server", "AutoScalingGroup", "KubernetesService", "ObjectStorage"]}
_FILE = obj(selected=TEXT, type=TEXT)
_TARGET = obj(
    server=obj(no=NUMBER, name=TEXT),
    status={"enum": ["pending", "standby", "pre", "deploy", "post", "success", "fail", "no progress"]},
    time=obj(_PHASES, **dict.fromkeys(_PHASES, NUMBER)),
    step=obj(_PHASES, **dict.fromkeys(_PHASES, _STEP)),
)
_TOGETHER = obj(time=obj(_PHASES, pre=NUMBER, deploy=NUMBER), step=obj(_PHASES, pre=_STEP, deploy=_STEP))
CONFIGS = {
    "Server": array(obj(strategy={"const": "normal"}, file=_FILE, targets=array(_TARGET))),
    "AutoScalingGroup": obj(
        strategy={"enum": ["normal", "blueGreen"]}, autoScalingGroup=obj(no=NUMBER, name=TEXT), file=_FILE, targets=array(_TARGET)
    ),
    "KubernetesService": obj(strategy={"enum": ["normal", "blueGreen", "rolling", "canary"]}, targets=_TOGETHER),
    "ObjectStorage": obj(file=_FILE, targets=_TOGETHER, backupFile=TEXT),
}
_STATUS = {"enum": sorted(set(STATUS.values()))}
HISTORY = obj(
    ("endTime",),
    project=NAMED, stage=NAMED, scenario=NAMED, id=NUMBER, status=_STATUS, executor=TEXT, startTime=NUMBER, endTime=NUMBER,
    type=_TYPE, config={"oneOf": list(CONFIGS.values())},
)  # fmt: skip
HISTORY_LIST = obj(
    historyList=array(obj(project=NAMED, stage=NAMED, scenario=NAMED, id=TEXT, startTime=NUMBER, status=_STATUS))
)
STAGE = obj(project=NAMED, id=NUMBER, name=TEXT, type=_TYPE, config={"type": "object"})
SCENARIO = obj(project=NAMED, stage=NAMED, id=NUMBER, name=TEXT, description=TEXT, type=_TYPE, config={"type": "object"})
_PASS = {"enum": ["pass", "fail"]}
_SERIES = obj(start=NUMBER, end=NUMBER, count=NUMBER, avg=NUMBER, max=NUMBER, min=NUMBER)
REPORT = obj(
    status=_PASS, score=NUMBER, passScore=NUMBER, start=NUMBER, end=NUMBER, step=NUMBER,
    metricList=array(obj(
        metricId=NUMBER, metricName=TEXT, weight=NUMBER,
        elementList=array(obj(name=TEXT, element=TEXT, deviation=NUMBER, status=_PASS, base=_SERIES, canary=_SERIES)),
    )),
)  # fmt: skip
