"""SourceDeploy's published API at /sourcedeploy/api/v1: stages, scenarios, deployments and the history of rollouts."""
