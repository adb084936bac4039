"""ASM's five published calls for grayscale releases at /v2/meshes/…, and one of ours. A release is a rollout with a canary."""
