"""The pages of casework (工单): lists, the case and its moves, for each post in the closed loop."""
