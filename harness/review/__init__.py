"""Blinded review: which pairs people see, on which side each answer stands, what they said."""
