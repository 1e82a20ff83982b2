"""What users and third parties test with. `store_contract` proves a store of one's own against the engine's laws."""
