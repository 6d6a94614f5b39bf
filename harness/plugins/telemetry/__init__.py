"""What a run tells other systems about its trials while it goes on."""
