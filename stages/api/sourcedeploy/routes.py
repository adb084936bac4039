"""The calls of SourceDeploy, one line each."""

from __future__ import annotations

from gs2admin.wire.protocol import Route
from stages.api.sourcedeploy import actions, bodies, history, projects, scenarios, schemas, stages

_PAGES = {"pageNo": "From 1.", "pageSize": "1 to 100; 100 when absent."}
_PROJECT = "/project/{projectId}"
_HISTORY = _PROJECT + "/history/{historyId}"
_STAGES = _PROJECT + "/stage"
_STAGE = _STAGES + "/{stageId}"
_SCENARIOS = _STAGE + "/scenario"
_SCENARIO = _SCENARIOS + "/{scenarioId}"
_DONE = schemas.obj(result=schemas.TRUE)

ROUTES = [
    Route("projectList", "GET", "/project", projects.project_list, "The caller's project", result=schemas.listed("projectList"),
          query={"projectName": "Only with this in its name.", **_PAGES}),
    Route("projectCreate", "POST", "/project", projects.project_create, "Refused: a credential's rights end at its project",
          takes_body=True, request=schemas.obj(name=schemas.TEXT), result=schemas.NAMED),
    Route("projectDelete", "DELETE", _PROJECT, projects.project_delete, "Refused: an administrator of the server does that"),
    Route("stageList", "GET", _STAGES, stages.stage_list, "Stages, in display order", result=schemas.listed("stageList"),
          query={"stageName": "Only with this in its name.", **_PAGES}),
    Route("stageDetail", "GET", _STAGE, stages.stage_detail, "A stage", result=schemas.STAGE),
    Route("stageCreate", "POST", _STAGES, stages.stage_create, "Make a stage",
          takes_body=True, request=bodies.StageBody, result=schemas.NAMED),
    Route("stageUpdate", "PATCH", _STAGE, stages.stage_update, "Change a stage",
          takes_body=True, request=bodies.StageChange, result=schemas.NAMED),
    Route("stageDelete", "DELETE", _STAGE, stages.stage_delete, "Delete a stage; its history stays", result=_DONE),
    Route("scenarioList", "GET", _SCENARIOS, scenarios.scenario_list, "Scenarios of a stage",
          result=schemas.listed("scenarioList"), query={"scenarioName": "Only with this in its name.", **_PAGES}),
    Route("scenarioDetail", "GET", _SCENARIO, scenarios.scenario_detail, "A scenario", result=schemas.SCENARIO),
    Route("scenarioCreate", "POST", _SCENARIOS, scenarios.scenario_create, "Make a scenario",
          takes_body=True, request=bodies.ScenarioBody, result=schemas.NAMED),
    Route("scenarioUpdate", "PATCH", _SCENARIO, scenarios.scenario_update, "Change a scenario",
          takes_body=True, request=bodies.ScenarioChange, result=schemas.NAMED),
    Route("scenarioDelete", "DELETE", _SCENARIO, scenarios.scenario_delete, "Delete a scenario", result=_DONE),
    Route("deploy", "POST", _SCENARIO + "/deploy", actions.deploy, "Start a rollout by a scenario", result=schemas.STARTED),
    Route("deployRequest", "POST", _SCENARIO + "/deploy/request", actions.ask, "Ask for a rollout that has to be approved",
          result=schemas.STARTED),
    Route("historyList", "GET", _PROJECT + "/history", history.history_list, "Rollouts, newest first",
          result=schemas.HISTORY_LIST, query=_PAGES),
    Route("historyDetail", "GET", _HISTORY, history.history_detail, "A rollout in full", result=schemas.HISTORY),
    Route("deployAccept", "POST", _HISTORY + "/approval/accept", actions.accept, "Approve a rollout", result=_DONE),
    Route("deployReject", "POST", _HISTORY + "/approval/reject", actions.reject, "Refuse to approve a rollout", result=_DONE),
    Route("deployCancel", "POST", _HISTORY + "/cancel", actions.cancel, "Stop a rollout", result=_DONE),
    Route("deployCanaryAccept", "POST", _HISTORY + "/canary/accept", actions.canary_accept,
          "Give the canary's versions to everybody", result=_DONE),
    Route("deployCanaryReject", "POST", _HISTORY + "/canary/reject", actions.canary_reject, "Withdraw the canary", result=_DONE),
    Route("canaryAnalysisList", "GET", _HISTORY + "/report", history.report_list, "When each interval of the analysis ended",
          result=schemas.obj(stageList=schemas.array(schemas.NUMBER))),
    Route("canaryAnalysisReport", "GET", _HISTORY + "/report/{endTime}", history.report, "The report of one interval",
          result=schemas.REPORT),
    Route("serverList", "GET", "/server", stages.server_list, "The targets of all stages", query=_PAGES,
          result=schemas.obj(serverList=schemas.array(schemas.obj(serverNo=schemas.NUMBER, name=schemas.TEXT)))),
]  # fmt: skip
