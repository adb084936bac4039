"""What holds a rollout back: stops and freeze windows."""
