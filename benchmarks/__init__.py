"""What ibcf costs: counted, measured, compared."""
