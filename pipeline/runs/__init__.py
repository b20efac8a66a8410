"""Everything in the output: where a run is prepared, how it is published, and what published runs tell."""
