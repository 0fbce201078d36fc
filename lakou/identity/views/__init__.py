"""The pages of identity: one's own account, ways in, and the administration of people and organisations."""
