"""Providers of models, one file each: the only modules that know a vendor."""
