"""What the sources of tools share: processes with limits, options, signatures."""
