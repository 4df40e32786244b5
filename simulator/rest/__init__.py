"""The REST face: schemas, handlers and the synchronous dispatcher."""
