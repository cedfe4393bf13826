"""Workload identity: the mesh's certificate authority, and how a program gets, renews and loses its certificate."""
