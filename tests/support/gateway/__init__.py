"""Real gateways, in processes of their own and in this one."""
