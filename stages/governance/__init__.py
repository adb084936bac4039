"""What holds a rollout back, or lets it go by itself: stops, freeze windows, approvals, auto-promotion, webhooks.

Pure functions and reads live here, the writes in stages.services, next to the other ones.
"""
