"""From scores to findings: slices, means, pairs, win rates, latency, cost. Pure arithmetic."""
