"""The DNS face: names below `mesh` answered from the view, for programs that speak nothing else."""
