"""Before anything runs: what differs between variants, the schedule, the forecast."""
