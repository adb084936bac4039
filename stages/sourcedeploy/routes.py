"""The calls of SourceDeploy, one line each."""

from __future__ import annotations

from gs2admin.wire.family import Route
from stages.sourcedeploy import history, projects

_PAGES = {"pageNo": "From 1.", "pageSize": "1 to 100; 100 when absent."}
_PROJECT = "/project/{projectId}"
_HISTORY = _PROJECT + "/history/{historyId}"

ROUTES = [
    Route("projectList", "GET", "/project", projects.project_list, "The caller's project",
          query={"projectName": "Only with this in its name.", **_PAGES}),
    Route("historyList", "GET", _PROJECT + "/history", history.history_list, "Rollouts, newest first", query=_PAGES),
    Route("historyDetail", "GET", _HISTORY, history.history_detail, "A rollout in full"),
    Route("canaryAnalysisList", "GET", _HISTORY + "/report", history.report_list, "When each interval of the analysis ended"),
    Route("canaryAnalysisReport", "GET", _HISTORY + "/report/{endTime}", history.report, "The report of one interval"),
]  # fmt: skip
