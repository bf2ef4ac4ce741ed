"""Public position feeds -> raw records: ticks, answers judged, retries."""
