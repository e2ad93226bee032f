"""What ibcf costs: counted, measured, compared.

`instructions` counts what the core executes; everything else is the rig of `make bench`: peers, load generators, method
and table. The rig knows nothing of how the border works and reads only what any operator could: the CPU and memory that
the system accounts, and what the generators saw.
"""
