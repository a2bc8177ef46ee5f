"""The desk (座席工作台): pages of agents and supervisors. Knows the CTI server only by `ctiserver.api`."""
