"""An OpenAlgo-compatible server that stands in for N accounts, in one process, with faults on demand."""
