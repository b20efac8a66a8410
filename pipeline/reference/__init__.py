"""The operator's reference data: who the partners are, what they may do, and how manufacturers are spelled."""
