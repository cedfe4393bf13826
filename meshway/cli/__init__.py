"""The command `meshway`: one file per command group. Planes and HTTP clients are imported inside their commands."""
