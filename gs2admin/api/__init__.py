"""Our own JSON API, /api/v1: methods of the same table behind the same door, with plain errors and HTTP statuses."""
