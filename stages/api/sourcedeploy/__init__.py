"""SourceDeploy's published API, served at /sourcedeploy/api/v1: the history of rollouts, and what leads to one."""
