"""Run folders and baselines: Parquet tables, and a manifest that is written last."""
