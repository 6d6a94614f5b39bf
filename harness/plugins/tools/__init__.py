"""Sources of tools, one file each."""
