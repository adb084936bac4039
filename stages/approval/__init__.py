"""Who must agree before a rollout begins."""
