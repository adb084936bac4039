"""Our own JSON API, /api/v1: methods of the same table by the same entry point, with plain errors and HTTP statuses."""
