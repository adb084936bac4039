"""What every room relies on: versions, scenarios, the project's lock, the journal of fenced writes."""
