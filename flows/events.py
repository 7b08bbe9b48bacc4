"""Events that start a retraining (prefect.yaml), for whoever runs outside of a flow."""

import os

DATA_INGESTED, DRIFT_DETECTED = "llp.data.ingested", "llp.drift.detected"
LIVE_DATA = {"prefect.resource.id": "llp.data.live"}


def announce_ingest(version: int, told: str) -> bool:
    """Tells Prefect's server of a new version of the live data, if there is a server.

    Args:
        version: its number.
        told: what changed, in words.

    Returns:
        Whether there is one.
    """
    if not os.environ.get("PREFECT_API_URL"):
        return False
    from prefect.events import emit_event
    from prefect.events.worker import EventsWorker

    emit_event(DATA_INGESTED, resource=LIVE_DATA, payload={"version": version, "changed": told})
    EventsWorker.drain_all()
    return True
