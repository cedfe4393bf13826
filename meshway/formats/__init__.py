"""Texts that hold documents: YAML and JSON now, other meshes' formats beside them."""
